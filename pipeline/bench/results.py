"""What a bench finds, and its form as JSON."""

import json
from dataclasses import asdict, dataclass, field

UDP_RATES = (10_000, 20_000, 45_000, 50_000, 100_000)  # datagrams a second
CPU_RATES = (15_000, 1_000)  # the same, where CPU time is measured
CORES = (1, 2, 4, 8)  # that our image may use, as far as the machine has them
COMMANDS = ("ready", "health", "counters")  # of our image, whose CPU time is measured


@dataclass(frozen=True)
class Measurement:
    """Messages that were to be sent, that the other side took, whose ids are in the archive, and that are there
    more than once; what the engine says that it dropped (None: it does not say); seconds from the first message
    to the last one in the archive, and to the last one that was sent; whether the engine died of it.
    """

    sent: int
    taken: int
    analysed: int
    repeated: int
    dropped: int | None
    seconds: float
    sending_seconds: float
    died: bool

    @property
    def rate(self) -> float:
        """Messages analysed a second."""
        return self.analysed / self.seconds

    @property
    def loss(self) -> float:
        """The share that was not analysed, 0 to 1."""
        return 1 - self.analysed / self.sent

    @property
    def sending_rate(self) -> float:
        """Messages sent a second."""
        return self.taken / self.sending_seconds


@dataclass
class Findings:
    """What was found of one of those compared: counts by their names, and other numbers by theirs."""

    title: str
    counts: dict[str, Measurement] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Results:
    """One run: OSSEC's version, when (ISO 8601), the share of the full number of messages, where, the limits that
    each container had, and what was found of each of those compared by its key.
    """

    ossec: str
    date: str
    scale: float
    machine: dict[str, str]
    limits: dict[str, str]
    findings: dict[str, Findings]


def to_json(results: Results) -> str:
    """The results as JSON, with the rates that follow from the counts, for other programs."""
    data = asdict(results)
    for key, findings in results.findings.items():
        for name, measurement in findings.counts.items():
            data["findings"][key]["counts"][name]["rate"] = round(measurement.rate, 1)
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
