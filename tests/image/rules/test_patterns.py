"""A pattern that the shim leaves out, as a line lacks its words, would not have matched, and a cheaper form of one
finds the same: all of them, on many texts."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import release, source
from pipeline.bench.lines import mixed_lines
from tests.image.support import compiled

EXTRA = compiled.ROOT / "docker" / "rootfs" / "var" / "ossec" / "extra"
ELEMENT = re.compile(
    r"<((?:prematch|match|regex|program_name|id|url|user|pcre2)(?:_pcre2)?)\b([^>]*)>(.*?)</\1>", re.DOTALL
)
HEADER = re.compile(rb"^.*?\]: |^\S+ +\d+ [\d:]+ \S+ ")

# What a reader of patterns may get wrong: what need not be there, what means something else, what hides an alternative.
# fmt: off
AWKWARD = [
    "^a\\d+b", "^ab{2}c", "^a{2}?bc", "^a{1,3}bc", "^ab|^cd+e", "^(?:ab|c){2}d", "^a++bc", "^\\d{13}x", "^ab.c",
    "^abc|^[d-f]xyz", "^(?:abc|def)ghi", "^[\\d.a-f:]+ x", "^\\d{4}-x", "^a?bcd", "^(?:abc)?def",
    "^(abc|)def", "^[^a]bcd", "^[\\w-:]bcd", "^[a\\-z]bcd", "^[+-\\d]bcd", "^\\[abc", "^a{0}bcd",
    "^a{2}bcd", "^(?=abc)a", "^(?i)ABC|^x", "^[]a]bcd", "^ abc", "(?m)^abc", "x|^abc", "^\\Sabc",
    "^(?:^abc|x)", "^(?|abc|(d)ef)", "(?:abc|def){0}ghi", "(?:abc(?:def|ghi)|jkl)+mno", "(?:abc|de)fgh",
    "abcd?e", "abc|de*f|xyz", "abcd{0,2}e", "abc(?:def|ghi)?jkl", "abc\\Qd|e\\E", "a(?x) b c d",
    "abc(?#x[)def|uvw]", "[|]abcd", "[]|]abc", "[^]|a]bcd", "[[:alpha:]|]abc", "(abc|def)ghi",
    "abc\\x64ef", "abc\\|def", "ab\\.cd+e", "(?i)ABCDE", "abc{def", "abc{2}def", "(?!abc)defg",
    "(?<=abc)def", "^abc$", "abc\\", "(?=abcx)abc|abcde", "abc(*ACCEPT)def", "ab(?(1)c|d)ef",
    "(?s:a.c)def", "abc\\p{L}ef", "(?|abc|def)xyz", "abcdefghij" * 20, "|abc", "abc|", "a|b|c",
    "x(?-i)ABC", "é+abc", "abcé?d", "\\babcd", "\\b(?:abcd|efgh)", "\\babc|xyz", "\\b.abcd", "\\b\\[abc", "\\ba?bcd",
    "\\ba+bcd", "\\ba{2}bcd", "\\b(?:abc)?def", "\\b(?:ab|\\d)+cdef", "\\B(?:abcd|x)", "(?:\\b|_)abcd",
    "(?:\\babc|x)def", "\\b(?=abc)abcd", "(?=.*abc).*def", "^(?=.*?(?:abc|xyz)).*?(?:def|ghi)", "(?=abc)*def",
    "(?=.*abc|.*def)x?ghi",    "abcd.*efgh.*ijkl.*mnop", "(?:abc|def).*(?:ghi|xyz).*jkl",
    "[[:<:]]abcd", "\\b_abc", "\\b\\d{3}abc", "\\b123a",
]
# fmt: on


def patterns(file: Path) -> Iterator[bytes]:
    """Those of a file of decoders or rules, with the letter that tells the harness their kind."""
    text = re.sub(r"<!--.*?-->", "", file.read_text(errors="replace"), flags=re.DOTALL)
    for name, attributes, found in ELEMENT.findall(text):
        for escaped, plain in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"), ("\\<", "<")):
            found = found.replace(escaped, plain)
        kind = "p" if "pcre2" in name + attributes else "r" if name in ("regex", "prematch") else "m"
        yield f"{kind}{found.strip()}".encode()


def sources_in_words(count: int) -> list[bytes]:
    """Lines with one address or several among words that name a source, hide one, or deny that there is one."""
    chance = random.Random(12)  # the same lines each time
    addresses = [
        "192.0.2.7",
        "198.51.100.23",
        "[192.0.2.7]",
        "192.0.2.7:22",
        "2001:db8::7",
        "::ffff:192.0.2.7",
        "1.2.3.4.5",
    ]
    addresses += [
        "192.0.2.7.example",
        "x192.0.2.7",
        "10.0.0.1-10.0.0.9",
        "300.1.2",
        "(192.0.2.7#53)",
        "192.0.2.7]",
        "a::b",
    ]
    words = [
        "from",
        "client:",
        "rip=",
        "for",
        "user",
        "as",
        "'bob'",
        "login failed",
        "authentication failure",
        "denied",
        "for bob",
    ]
    words += [
        "refused",
        "blocked",
        "attack detected",
        "logged in",
        "success",
        "unsuccessful",
        "not successful",
        "NOQUEUE: reject:",
    ]
    words += [
        "rejected RCPT",
        "rejected",
        "pipelining",
        "connection refused",
        "will be",
        "timed out",
        "invalid user",
        "10:11:12",
    ]
    lines = []
    for _ in range(count):
        parts = chance.choices(words, k=chance.randint(2, 9)) + chance.choices(
            addresses, k=chance.choice((0, 1, 1, 1, 2))
        )
        chance.shuffle(parts)
        lines.append(chance.choice((" ", " ", ", ", "")).join(parts).encode())
    return lines


def test_no_pattern_is_left_out_that_would_match(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    wanted = release.find(request.config.getoption("--release", default=None))
    sources = compiled.unpack(wanted, tmp_path)
    etc = sources.ossec.parent / "etc"
    files = [etc / "decoder.xml", *sorted((etc / "rules").glob("*.xml")), *sorted(EXTRA.rglob("*.xml"))]
    known = sorted(
        {pattern for file in files for pattern in patterns(file)} | {f"p{one}".encode() for one in AWKWARD}
    )
    lines = [line.encode() for line in mixed_lines(source.fetch(wanted))]
    bare = [HEADER.sub(b"", line) for line in lines]
    texts = [*lines, *bare, *(line.swapcase() for line in bare), *(pattern[1:] for pattern in known)]
    # What matches the awkward ones, and nearly does.
    texts += [
        b"abe",
        b"abce",
        b"abcdde",
        b"df",
        b"abcjkl",
        b"d|e",
        b"abcd|e",
        b"abcdef",
        b"uvw]",
        b"|abcd",
        b"ghi",
        b"abcghi",
    ]
    texts += [
        b"abc|def",
        b"ab.cdde",
        b"abcc",
        b"abccdef",
        b"defg",
        b"xyz",
        b"abcxyz",
        b"c",
        b"xABC",
        b"abc\xc3\xa9d",
        b"aXcdef",
    ]
    texts += [
        b"dxyz",
        b"abcghi",
        b"1.2 x",
        b"1234-x",
        b"[abc",
        b"aabcd",
        b"x\nabc",
        b"jklmno",
        b"a12b",
        b"abbc",
        b"aaabc",
        b"cdde",
        b"abcd",
        b"ccd",
        b"1234567890123x",
        b"abxc",
        b"abcghimno",
        b"defgh",
    ]
    # Words, and what only ends as one does.
    texts += [
        before + word + after
        for before in (b"", b" ", b"x", b"_", b"-", b"\xc3\xa9", b"[", b"7", b"x abcd")
        for word in (
            b"abcd",
            b"abc",
            b"bcd",
            b"def",
            b"efgh",
            b"_abc",
            b"123a",
            b"123abc",
            b"aabcd",
            b"[abc",
            b"abcabcd",
        )
        for after in (b"", b" def", b"ghi", b" ghi jkl", b"cdef", b"xyz ghi", b" efgh ijkl mnop")
    ]
    texts += sources_in_words(2_000)
    # What begins with each byte, for those that are tied to the beginning.
    texts += [bytes([byte]) + end for byte in range(1, 256) for end in (b"bcd", b"abc")]
    program = sources.program("patterns.c", sorted(sources.ossec.glob("os_regex/os_[mcpr]*.c")), shim=True)
    *wrong, counts = compiled.written(program, [*known, b"", *filter(None, texts)])
    assert wrong == []
    compiled_patterns, attempts, matches, saved, cheaper = map(int, counts.split())
    assert compiled_patterns > 0.98 * len(known)
    assert matches > 10_000
    assert saved > attempts / 2
    assert cheaper > 2_000
