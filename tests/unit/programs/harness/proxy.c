/* proxy [SECONDS SEED]: feeds proxy.c with headers made at random and with any bytes, in memory of just their length, so that
 * the sanitizers see a byte too far. A header that is whole in one piece is just the same in every prefix of it.
 * Without arguments: reads one from standard input, and prints its length and the address. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proxy.h"

static unsigned long long seed;
static char made[70000];
static size_t length;

static unsigned chance(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 11) % below;
}

static void put(const void *bytes, size_t count)
{
    memcpy(made + length, bytes, count);
    length += count;
}

static void make_version_1(void)
{
    static const char *const words[] = {"PROXY", "TCP4", "TCP6", "UNKNOWN", "192.0.2.7", "2001:db8::7", "::ffff:1.2.3.4", "40022",
                                        "0", "65536", "", "PROXY TCP4 192.0.2.7 192.0.2.10 40022 514", "\r"};

    if (chance(4) > 0) {
        put("PROXY ", 6);
    }
    for (unsigned n = chance(8); n > 0; n--) {
        const char *word = words[chance(sizeof(words) / sizeof(words[0]))];

        put(word, strlen(word));
        put(" ", chance(4) > 0);
    }
    put("\r\n", chance(3));
}

static void make_version_2(void)
{
    static const unsigned char commands[] = {0x20, 0x21, 0x21, 0x21, 0x22, 0x11}, families[] = {0, 0x11, 0x12, 0x21, 0x22, 0x31, 0x13};
    static const unsigned lengths[] = {0, 11, 12, 35, 36, 216, 300, 65535};
    unsigned rest = lengths[chance(8)], there = chance(3) == 0 ? chance(rest + 1) : rest;

    put("\r\n\r\n\0\r\nQUIT\n", 12);
    put(&commands[chance(6)], 1);
    put(&families[chance(7)], 1);
    put((char[]){(char)(rest >> 8), (char)rest}, 2);
    for (unsigned n = 0; n < there; n++) {
        made[length++] = (char)chance(256);
    }
    if (chance(20) == 0) {
        made[chance((unsigned)length)] ^= (char)(1 << chance(8));
    }
}

/* As it would be read if just these bytes had come. */
static long read_first(size_t count, struct proxied *proxied)
{
    char *exact = malloc(count ? count : 1);
    long whole;

    memcpy(exact, made, count);
    whole = proxy_read(exact, count, proxied);
    free(exact);
    return whole;
}

static void check(void)
{
    struct proxied all, some;
    size_t seen = length < PROXY_HEAD ? length : PROXY_HEAD;
    long whole = read_first(length, &all);

    if (whole < -1 || whole > 16 + 65535 || (whole > 0 && made[0] == 'P' && (size_t)whole > length)) {
        abort();
    }
    if (read_first(seen, &some) != whole || memcmp(&all.address, &some.address, sizeof(all.address)) != 0 || all.named != some.named) {
        abort(); /* nobody hands over more than PROXY_HEAD */
    }
    for (size_t n = chance(20); n < seen; n += 1 + chance(20)) {
        long early = read_first(n, &some);

        if (early != whole && early != 0) {
            abort();
        }
        if (early == 0 && whole > 0 && (size_t)whole <= n) {
            abort();
        }
    }
}

int main(int argc, char **argv)
{
    struct proxied proxied;
    char text[INET6_ADDRSTRLEN] = "-";
    unsigned long rounds = 0;
    time_t until;

    if (argc < 3) {
        long whole;

        length = fread(made, 1, sizeof(made), stdin);
        whole = read_first(length, &proxied);
        if (proxied.named) {
            inet_ntop(AF_INET6, &proxied.address, text, sizeof(text));
        }
        printf("%ld %s\n", whole, whole > 0 ? text : "-");
        return 0;
    }
    until = time(NULL) + atoi(argv[1]);
    seed = strtoull(argv[2], NULL, 10) * 2654435761u + 88172645463325252u;
    while (time(NULL) < until) {
        length = 0;
        if (chance(2)) {
            make_version_1();
        } else {
            make_version_2();
        }
        check();
        rounds++;
    }
    printf("%lu\n", rounds);
    return 0;
}
