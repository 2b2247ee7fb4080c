"""What the rules notice: measured on a corpus, and written down for users in docs/use/rules.md."""
