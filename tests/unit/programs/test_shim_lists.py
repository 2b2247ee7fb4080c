"""What the engine goes through for each line, made short by the shim: by its own functions, without a container."""

import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline import standin
from pipeline.project import ROOT

SHIM = ROOT / "docker/shim"
LITERALS = ("literals", "word_lists", "words", "first_bytes", "syntax", "forms", "address")
pytestmark = pytest.mark.skipif(
    not shutil.which("cc"), reason="NO C COMPILER HERE: the shim's functions are not tried"
)

# A decoder whose 12th part has a name, among 256 that it might have; a rule below another that looks at 14.
ORDER = r"""
#include <assert.h>
#include "config.h"
#include "decoder.h"
#include "order.h"
#include "groups.h"
#include "rules.h"

_Config Config = {.decoder_order_size = 256};
static unsigned groups = 3;
static RuleNode *rules;
static void *order[256];
static OSDecoderInfo plain, named = {.order = (void *)order};
static OSDecoderNode child = {.osdecoder = &named}, parent = {.osdecoder = &plain, .child = &child};

unsigned regex_most_groups(void) { return groups; }
OSDecoderNode *OS_GetFirstOSDecoder(const char *program) { return program ? &parent : NULL; }
RuleNode *OS_GetFirstRule(void) { return rules; }

int main(void)
{
    static void *fields[256];
    static RuleInfo above, below = {.fields = fields};
    static RuleNode inner = {.ruleinfo = &below}, outer = {.ruleinfo = &above, .child = &inner};

    order[11] = order;
    order_fit();
    assert(Config.decoder_order_size == 12);
    Config.decoder_order_size = 256;
    rules = &outer;
    for (int n = 0; n < 14; n++) {
        fields[n] = fields;
    }
    order_fit();
    assert(Config.decoder_order_size == 14);
    Config.decoder_order_size = 256;
    groups = 17;
    order_fit();
    assert(Config.decoder_order_size == 17);
    Config.decoder_order_size = 16;
    order_fit();
    assert(Config.decoder_order_size == 16); /* never more than it was */
    return 0;
}
"""

# A tree of two kinds of lines. A program's pattern is a word that its name begins with; one for the line has the word
# that it is learned with.
LISTS = r"""
#include <assert.h>
#include "analysisd.h"
#include "literals.h"
#include "rule_lists.h"
#include "rules.h"

int thishour = 7, __crt_hour = 7;
static OSMatch sshd = {.regex = "sshd"}, cron = {.regex = "cron"}, fail = {.regex = "fail"}, start = {.regex = "start"};
static RuleInfo kind2 = {.category = 2}, kind3 = {.category = 3}, any = {0};
static RuleInfo of_5 = {.decoded_as = 5}, of_6 = {.decoded_as = 6}, deep = {.decoded_as = 6};
static RuleInfo deeper = {.decoded_as = 5};
static RuleInfo of_sshd = {.program_name = &sshd}, of_cron = {.program_name_pcre2 = &cron}, with_id = {.id = &fail};
static RuleInfo failing = {.pcre2 = &fail}, starting = {.match = &start, .pcre2 = &fail};
static RuleNode b2 = {.ruleinfo = &deeper}, b1 = {&deep, &b2, NULL}, n8 = {.ruleinfo = &any, .child = &b1},
    n7 = {&starting, &n8, NULL}, n6 = {&failing, &n7, NULL}, n5 = {&with_id, &n6, NULL}, n4 = {&of_cron, &n5, NULL},
    n3 = {&of_sshd, &n4, NULL}, n2 = {&of_6, &n3, NULL}, n1 = {&of_5, &n2, NULL}, other = {.ruleinfo = &kind3},
    top = {&kind2, &other, &n1};

RuleNode *__real_OS_GetFirstRule(void) { return &top; }
RuleNode *__wrap_OS_GetFirstRule(void);
int OSMatch_Execute(const char *text, size_t length, OSMatch *pattern)
{
    return length == strlen(text) && strncmp(text, pattern->regex, strlen(pattern->regex)) == 0;
}
const char *OSPcre2_Execute(const char *text, OSPcre2 *pattern)
{
    return strncmp(text, pattern->regex, strlen(pattern->regex)) == 0 ? text : NULL;
}

static RuleNode *asked(const Eventinfo *lf)
{
    literals_of(lf->log);
    rules_are_for(lf);
    return __wrap_OS_GetFirstRule();
}

/* Asked for a line by this decoder and program, the rules are these, below the one of its kind. */
static void expect(int id, const char *program, const char *log, RuleInfo *const *rules)
{
    OSDecoderInfo decoder = {.type = 2, .id = id};
    Eventinfo lf = {.decoder_info = &decoder, .program_name = (char *)program, .log = (char *)log};
    RuleNode *list = asked(&lf), *node;

    assert(list != &top && list->ruleinfo == &kind2 && list->next == NULL);
    for (node = list->child; *rules != NULL; node = node->next, rules++) {
        assert(node->ruleinfo == *rules);
        if (node->ruleinfo == &any && id < 7) { /* below it, too, are those of this decoder */
            assert(node->child->ruleinfo == (id == 6 ? &deep : &deeper) && node->child->next == NULL);
        } else {
            assert(node->child == NULL);
        }
    }
    assert(node == NULL);
    rules_are_for(NULL);
    assert(__wrap_OS_GetFirstRule() == &top);
}
#define EXPECT(id, program, log, ...) expect(id, program, log, (RuleInfo *const[]){__VA_ARGS__, NULL})

int main(void)
{
    OSDecoderInfo decoder = {.type = 4, .id = 5};
    Eventinfo lf = {.decoder_info = &decoder, .log = "x"};
    static const char text[] = "wxya{3 baab", other_text[] = "xy BAAAA";
    char name[16];

    literals_learn(fail.regex, "fail", 0, 0);
    literals_learn(start.regex, "^start", 0, 0);
    literals_learn(&of_5, "ba{4}", 0, 0);
    literals_learn(&of_6, "wxya{3", 0, 0); /* no quantifier */
    literals_of(text);
    assert(literals_form(&of_5, text) == NULL && literals_form(&of_6, text) == &of_6);
    literals_of(other_text);
    assert(literals_form(&of_5, other_text) == &of_5 && literals_form(&of_6, other_text) == NULL);
    for (int turn = 0; turn < 3; turn++) {
        EXPECT(5, NULL, "x", &of_5, &any);
        EXPECT(5, NULL, "it FAILS", &of_5, &failing, &any);
        EXPECT(6, NULL, "startled", &of_6, &starting, &any);
        EXPECT(9, NULL, "x start", &any);
        EXPECT(9, "a name of 32 bytes, and not one less", "x", &of_sshd, &of_cron, &any);
    }
    for (int turn = 0; turn < 2; turn++) { /* the first time, a program has no list of its own */
        EXPECT(5, "sshd", "x", &of_5, &of_sshd, turn ? &any : &of_cron, turn ? NULL : &any);
    }
    EXPECT(9, "crond", "start", &of_sshd, &of_cron, &starting, &any);
    EXPECT(9, "crond", "start", &of_cron, &starting, &any);

    lf.id = "found";
    decoder.type = 2;
    assert(asked(&lf)->child->next->ruleinfo == &with_id);
    decoder.type = 4; /* no rule is for its kind */
    assert(asked(&lf) == &top);
    decoder.type = 2;
    __crt_hour = 8; /* the statistics of all are to be written */
    assert(asked(&lf) == &top);
    __crt_hour = 7;
    decoder.type = OSSEC_ALERT;
    assert(asked(&lf) == &top);
    decoder.type = 2;
    literals_of(NULL); /* nothing is known of the line */
    assert(__wrap_OS_GetFirstRule() == &top);
    for (int n = 0; n < 5000; n++) { /* more programs than there is room for */
        snprintf(name, sizeof(name), "p%d", n % 2500);
        lf.program_name = name;
        assert(asked(&lf)->child->ruleinfo == &of_5);
    }
    return 0;
}
"""


# Two families behind another decoder. One has a child of two parts, one that looks behind what its family matched, and
# one that can find nothing without a word; the other, a child of each line with its words.
FAMILIES = r"""
#include <assert.h>
#include "decoder.h"
#include "families.h"
#include "literals.h"

static OSPcre2 failed = {.regex = "f"}, door = {.regex = "d"}, key = {.regex = "k"}, number = {.regex = "n"};
static OSDecoderInfo other = {.name = "other"}, all = {.name = "any-b"};
static OSDecoderInfo fails = {.name = "any-a", .prematch_pcre2 = &failed};
static OSDecoderInfo two = {.name = "any-a", .prematch_pcre2 = &door, .pcre2 = &number, .get_next = 1};
static OSDecoderInfo second = {.name = "any-a", .pcre2 = &number};
static OSDecoderInfo behind = {.name = "any-a", .prematch_pcre2 = &door, .prematch_offset = 1};
static OSDecoderInfo finds = {.name = "any-a", .prematch_pcre2 = &key, .pcre2 = &number};
static OSDecoderInfo keyed = {.name = "any-b", .prematch_pcre2 = &key};
#define NODE(name, of, behind, below) name = {.osdecoder = &of, .next = behind, .child = below}
static OSDecoderNode NODE(c4, finds, NULL, NULL), NODE(c3, behind, &c4, NULL), NODE(c2, second, &c3, NULL),
    NODE(c1, two, &c2, NULL), NODE(d1, keyed, NULL, NULL), NODE(last, other, NULL, NULL), NODE(b, all, &last, &d1),
    NODE(a, fails, &b, &c1), NODE(top, other, &a, NULL);

OSDecoderNode *__real_OS_GetFirstOSDecoder(const char *program) { return program ? NULL : &top; }
void tell(const char *format, ...) { (void)format; }

static void expect(const char *text, int known, OSDecoderInfo *const *children)
{
    literals_of(known ? text : NULL);
    for (OSDecoderNode *family = families_of(text); family != NULL; family = family->next) {
        assert(family->osdecoder == *children++ && family->child != NULL);
        for (OSDecoderNode *child = family->child; child != NULL; child = child->next) {
            Eventinfo lf = {.decoder_info = *children};

            assert(child->osdecoder == *children++);
            assert(families_taker(&lf) == family);
        }
    }
    assert(*children == NULL);
}
#define EXPECT(text, known, ...) expect(text, known, (OSDecoderInfo *const[]){__VA_ARGS__, NULL})

int main(void)
{
    Eventinfo lf = {.decoder_info = &other};

    literals_learn(failed.regex, "failed", 0, 0);
    literals_learn(door.regex, "door", 0, 0);
    literals_learn(key.regex, "^(?=.*\\bkey)", 0, 0);
    literals_learn(number.regex, "number \\d", 0, 0);
    assert(families_loaded() && families_loaded());
    assert(top.next == &last && last.next == NULL);
    EXPECT("a line", 1, NULL);
    EXPECT("failed", 1, &fails, &behind);
    EXPECT("failed at the door", 1, &fails, &two, &second, &behind);
    EXPECT("failed with a key", 1, &fails, &behind, &all, &keyed);
    EXPECT("the key of number 7 failed", 1, &fails, &behind, &finds, &all, &keyed);
    EXPECT("a key of the door", 1, &all, &keyed);
    EXPECT("number 7 of a monkey", 1, NULL); /* no word begins so */
    EXPECT("a line", 0, &fails, &two, &second, &behind, &finds, &all, &keyed);
    assert(families_taker(&lf) == NULL);
    return 0;
}
"""


# What takes something off a line in its place, and says whether there was any.
WITHOUT = r"""
#include <assert.h>
#include <stddef.h>
#include <string.h>
#include "NAME.h"

static void expect(const char *text, const char *plain)
{
    char copy[128];

    assert(without_NAME(strcpy(copy, text)) == (strcmp(text, plain) != 0));
    assert(strcmp(copy, plain) == 0);
}

int main(void)
"""

# Which text is a terminal's colour, however its escape byte is written.
COLOURS = (
    WITHOUT.replace("NAME", "colours")
    + r"""
{
    const char *plain[] = {"", "[", "x [", "[m", "[3", "[3;", "[3;m", "sshd[812]: x", "rate(x[5m])",
                           "[15m]", "[12 m", "#033[", "[;1m"};

    for (size_t n = 0; n < sizeof(plain) / sizeof(*plain); n++) {
        expect(plain[n], plain[n]);
    }
    expect("\x1b[32mINFO\x1b[0m: x", "INFO: x");
    expect("\x1b[mx\x1b[m", "x");
    expect("for \x1b[1;31mbob\x1b[0m from \x1b[1m192.0.2.1:0\x1b[0m", "for bob from 192.0.2.1:0");
    expect("#033[1mbob#033[0m #x1B[36mx ^[[36my \\u001b[36mz \\x1b[1;2;3ma \\033[38;5;4mb \\e[0mc", "bob x y z a b c");
    expect("[36m2026 [[93m63b1[0m] x", "2026 [63b1] x"); /* the engine has left the byte out */
    expect("x[0m]", "x]");
    expect("[5m x \x1b[5m]", " x ]");
    return 0;
}
"""
)

# What a container or a service printed, in the wrappers of CRI, of Docker's json-file and of systemd's journal.
WRAPPER = (
    WITHOUT.replace("NAME", "wrapper")
    + r"""
{
    const char *plain[] = {
        "", "2", "s", "{", "{}", "stdout F", "stdout F:", "stdout x F y", "stdoutF x", "stdout Full x", "std F x",
        "2026-11-28 07:00:00 stdout F x", "2026-11-28T07:00:00.1Z stdout x", "2026-11-28T07:00Z stdout F x",
        "x 2026-11-28T07:00:00.1Z stdout F x", "{\"log\":\"x\"}", "{\"stream\":\"stdout\"}",
        "{\"log\":\"x\",\"stream\":\"other\"}", "{\"log\":\"x\",\"stream\":\"stdouts\"}",
        "{\"log\":7,\"stream\":\"stdout\"}", "{\"stream\":\"stdout\",\"log\":\"x",
        "{\"stream\":\"stdout\",\"log\":\"x\\",
        "{\"a\":\"\\\"stream\\\":\\\"stdout\\\"\",\"log\":\"x\"}",
        "{\"a\":\"\\\"log\\\":\\\"x\",\"stream\":\"stdout\"}",
    };

    for (size_t n = 0; n < sizeof(plain) / sizeof(*plain); n++) {
        expect(plain[n], plain[n]);
    }
    expect("2026-11-28T07:00:00.123456789Z stdout F a b", "a b");
    expect("2026-11-28T07:00:00+01:00 stderr P:x a", "a");
    expect("stderr F  a", " a");
    expect("stdout F ", "");
    expect("{\"log\":\"a \\\"b\\\" \\\\ \\/ c\\r\\n\",\"stream\":\"stderr\",\"time\":\"x\"}", "a \"b\" \\ / c");
    expect("{ \"stream\" : \"stdout\", \"log\" : \"a\\tb\\u0000c\\u001b[1m\"}", "a\tb c\x1b[1m");
    expect("{\"log\":\"a\\nb\\\\n\",\"stream\":\"stdout\"}", "a\\nb\\n");
    expect("{\"log\":\"\\n\",\"stream\":\"stdout\"}", "");
    expect("{\"log\":\"\",\"stream\":\"stdout\"}", "");
    expect("{\"log\":\"n\\\\\\r\\n\",\"stream\":\"stdout\"}", "n\\");
    expect("{\"log\":\"\\u00e4\\u20AC\\ud83d\\ude00 \\u12 \\ud83dx\",\"stream\":\"stdout\"}",
           "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 \\u12 \xed\xa0\xbdx");
    expect("{\"container_name\":\"/web\",\"source\":\"stdout\",\"log\":\"a\"}", "a");
    expect("{\"message\":\"a\",\"ip\":\"192.0.2.1\",\"stream\":\"stdout\"}",
           "{\"message\":\"a\",\"ip\":\"192.0.2.1\",\"stream\":\"stdout\"}");
    expect("{\"message\":\"a 192.0.2.1\",\"stream\":\"stdout\"}", "a 192.0.2.1");
    expect("{\"_TRANSPORT\":\"stdout\",\"MESSAGE\":\"a 192.0.2.1\"}", "a 192.0.2.1");
    expect("{\"MESSAGE\":\"a \\\"::1\\\"\",\"SYSLOG_IDENTIFIER\":\"b\"}", "a \"::1\"");
    expect("{\"_SYSTEMD_UNIT\":\"a\",\"MESSAGE\":\"b\",\"IP\":\"192.0.2.1\"}",
           "{\"_SYSTEMD_UNIT\":\"a\",\"MESSAGE\":\"b\",\"IP\":\"192.0.2.1\"}");
    expect("{\"MESSAGE\":\"a 192.0.2.1\"}", "{\"MESSAGE\":\"a 192.0.2.1\"}");
    expect("{\"log\":\"{\\\"log\\\":\\\"a\\\"}\",\"stream\":\"stdout\"}", "{\"log\":\"a\"}");
    return 0;
}
"""
)

# Whether 192.0.2.66 stands in a client's own words alone.
QUOTES = r"""
#include <assert.h>
#include <stddef.h>
#include "quotes.h"

int main(void)
{
    const char *alone[] = {
        "user \"x from 192.0.2.66\" from 192.0.2.1",
        "user \"x from 192.0.2.66\" from ::1",
        "a=\"1 192.0.2.66\", ip 192.0.2.1",
        "{\"user\":\"a \\\"b\\\" 192.0.2.66\",\"ip\":\"192.0.2.1\"}",
        "192.0.2.1 \"GET 192.0.2.66 x\"",
        "{\"msg\":\"user \\\"x 192.0.2.66\\\" from 192.0.2.1\"}",
        "{\"msg\":\"x\",\"user\":\"a 192.0.2.66\",\"ip\":\"192.0.2.1\"}",
        "it's \"a 192.0.2.66\" 192.0.2.1",
    };
    const char *not_alone[] = {
        "",
        "192.0.2.66",
        "from 192.0.2.66 to 192.0.2.1",
        "user \"x from 192.0.2.66\"",
        "\"x 192.0.2.66\" from 192.0.2.66 192.0.2.1",
        "ip=\"192.0.2.66\" to 192.0.2.1",
        "{\"ip\":\"192.0.2.66\",\"to\":\"192.0.2.1\"}",
        "'bob'@'192.0.2.66' on 192.0.2.1",
        "msg=\"login of x from 192.0.2.66\" fw=192.0.2.1",
        "{\"error_message\": \"a 192.0.2.66\", \"b\": \"192.0.2.1\"}",
        "user 'x 192.0.2.66' from 192.0.2.1",
        "a \"b 192.0.2.66 192.0.2.1",
        "a \"b\\\" 192.0.2.66 192.0.2.1",
    };

    for (size_t n = 0; n < sizeof(alone) / sizeof(*alone); n++) {
        assert(stands_in_quotes_alone(alone[n], "192.0.2.66"));
    }
    for (size_t n = 0; n < sizeof(not_alone) / sizeof(*not_alone); n++) {
        assert(!stands_in_quotes_alone(not_alone[n], "192.0.2.66"));
    }
    return 0;
}
"""

# Which lines are worth a search for a source, and one spelling of each.
ADDRESS = r"""
#include <assert.h>
#include <stddef.h>
#include <string.h>
#include "address.h"

static void expect(const char *text, const char *plain)
{
    char copy[64];

    plain_address(strcpy(copy, text));
    assert(strcmp(copy, plain) == 0);
}

int main(void)
{
    const char *one[] = {"from 192.0.2.1", "192.0.2.1", "x.192.0.2.1:22", "1.2.3.4.5.6", "v. 1. 2.3.4.5", "[192.0.2.1]",
                         "10:11:12 192.0.2.1 1.2.3"};
    const char *some[] = {"::1", "a ::ffff:1", "fe80::1%eth0", "at 10:11:12 of 2001:db8::7", "1:2:3:4:5:6:7:8", "[::]",
                          "a:: b", "192.0.2.1 192.0.2.2", "192.0.2.1-192.0.2.1", "192.0.2.1 ::1", "::ffff:192.0.2.1"};
    const char *none[] = {"", ".", ":", "1.2", "1.2.3", "no. 1.", ".1.2", "1.2345.6", "1..2", "10:11:12", "a:b:c",
                          "x: y", "1.2:3.4", "12:34:56:78:9a:bc", "1.", "1.2.", "1.2.3.", "a.b.c.d", "1.2.3.4000"};

    for (size_t n = 0; n < sizeof(one) / sizeof(*one); n++) {
        assert(addresses_in(one[n]) == ADDRESS_IPV4);
    }
    for (size_t n = 0; n < sizeof(some) / sizeof(*some); n++) {
        assert(addresses_in(some[n]) == ADDRESS_SOME);
    }
    for (size_t n = 0; n < sizeof(none) / sizeof(*none); n++) {
        assert(addresses_in(none[n]) == ADDRESS_NONE);
    }
    expect("192.0.2.1", "192.0.2.1");
    expect("192.0.2.1:22", "192.0.2.1");
    expect("192.0.2.1.", "192.0.2.1");
    expect("::ffff:192.0.2.1", "192.0.2.1");
    expect("[2001:db8::1]:22", "2001:db8::1");
    expect("2001:db8::1", "2001:db8::1");
    expect("cafe", "cafe");
    expect("192.0.2.1.example", "192.0.2.1.example");
    return 0;
}
"""


# What a batch writes reaches the file at its end, in whole lines: a reader would see half of one.
LOGS = r"""
#include <assert.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "shared.h"
#include "eventinfo.h"
#include "flush.h"
#include "logs.h"

FILE *_aflog, *_jflog, *_eflog, *_fflog;

int __real_OS_GetLogLocation(const Eventinfo *lf) { return lf != NULL; }

int main(void)
{
    static struct done done;
    struct stat file;

    _aflog = tmpfile();
    _jflog = tmpfile();
    _eflog = tmpfile();
    logs_defer();
    logs_flush(&done);
    for (int n = 0; n < 64; n++) {
        fprintf(_eflog, "%6000d\n", n);
        fflush(_eflog);
    }
    assert(fstat(fileno(_eflog), &file) == 0 && file.st_size == 0);
    logs_flush(&done);
    assert(fstat(fileno(_eflog), &file) == 0 && file.st_size == 64 * 6001);
    assert(done.file[2].size == 64 * 6001);
    return 0;
}
"""


@pytest.mark.parametrize(
    ("play", "files"),
    [
        (ORDER, ["order"]),
        (LISTS, ["rule_lists", *LITERALS]),
        (FAMILIES, ["families", *LITERALS]),
        (ADDRESS, ["address"]),
        (LOGS, ["logs", "flush"]),
        (COLOURS, ["colours"]),
        (WRAPPER, ["wrapper", "address"]),
        (QUOTES, ["quotes", "address"]),
    ],
    ids=["order", "lists", "families", "address", "logs", "colours", "wrapper", "quotes"],
)
def test_what_is_gone_through_is_short_and_leaves_nothing_out(
    tmp_path: Path, play: str, files: list[str]
) -> None:
    source, program = tmp_path / "play.c", tmp_path / "play"
    source.write_text(play)
    folders = [f"-I{standin.SOURCES / 'src' / name}" for name in ("headers", "analysisd")]
    folders += [f"-I{ROOT / 'docker/journal'}", "-Wl,--wrap=fflush"]
    sanitizers = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    given = ["-D_GNU_SOURCE", "-Wno-incompatible-pointer-types", *sanitizers, f"-I{SHIM}", *folders]
    subprocess.run(["cc", *given, source, *(SHIM / f"{name}.c" for name in files), "-o", program], check=True)
    done = subprocess.run([program], capture_output=True, text=True, env={"ASAN_OPTIONS": "detect_leaks=0"})
    assert (done.returncode, done.stderr) == (0, "")
