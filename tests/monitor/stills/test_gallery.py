from monitor.stills.gallery import worth_a_look
from monitor.stills.judging import Judged
from monitor.stills.still import Still
from tests.monitor.stills.spots import plate


def test_what_is_worth_a_look() -> None:
    def one(score: float, kind: str) -> Judged:
        return Judged(Still(f"{kind}{score}", kind, kind != "good", plate), score)

    found = [one(s, "good") for s in range(5)]
    found += [one(s, "crack") for s in range(10, 20)] + [one(s, "dent") for s in (3.5, 12.5)]
    looks = [(why.partition(",")[0], j.still.name) for why, j in worth_a_look(found)]
    assert looks == [
        ("defective", "dent3.5"), ("defective", "crack10"), ("defective", "crack11"),
        ("normal", "good4"), ("normal", "good3"), ("normal", "good2"),
        ("defective", "crack19"), ("defective", "dent12.5"), ("defective", "crack18"),
    ]  # fmt: skip
