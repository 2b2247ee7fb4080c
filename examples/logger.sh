#!/bin/sh
# From a script: one line, and each line that a program prints. logger is in util-linux (Debian: bsdutils).
logger --server 192.0.2.10 --port 514 --tcp --rfc5424 --octet-count --tag backup "finished"
df / | logger --server 192.0.2.10 --port 514 --tcp --rfc5424 --octet-count --tag df
