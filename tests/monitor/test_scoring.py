import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from models.detector import Detector, Findings
from models.errors import NotFittedError
from models.registry import build
from monitor.ahead import ahead
from monitor.clips import cut_clips
from monitor.exporting import unquantised
from monitor.model import Model
from monitor.records import Clip, Frame
from monitor.runtimes import Found, Runtime
from monitor.scoring import device_of, lanes_of, score_clips
from tests.monitor.footage import TINY, picture


def detector(*, fitted: bool = True) -> Detector:
    torch.manual_seed(0)
    made = build("frame_prediction", **TINY)
    made.fitted = fitted
    return made.eval()


def clips(count: int, of: Detector) -> list[Clip]:
    images = [picture(i, seed=0, wrong=False) for i in range(count + of.spec.span - 1)]
    frames = [Frame(image, i, i / 10) for i, image in enumerate(images)]
    return list(cut_clips(frames, of.spec))


def test_a_reading_for_every_clip_whatever_the_batch() -> None:
    of = detector()
    whole = list(score_clips(clips(7, of), of, batch=7))
    singly = list(score_clips(clips(7, of), of, batch=1))
    by_three = list(score_clips(clips(7, of), of, batch=3))
    assert [r.frame.index for r in by_three] == list(range(of.spec.span - 1, of.spec.span + 6))
    for other in (singly, by_three):
        assert [r.score for r in other] == pytest.approx([r.score for r in whole], rel=1e-5)
    assert whole[0].terms["psnr"] == pytest.approx(singly[0].terms["psnr"], rel=1e-5)


def test_batches_side_by_side_give_the_same_readings_in_the_same_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of, usual = detector(), torch.get_num_threads()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert lanes_of(of) == 4
    threads = set()
    examine = of.examine

    def watched(batch: torch.Tensor) -> Findings:
        threads.add(threading.get_ident())
        time.sleep(0.02 * (len(threads) == 1))  # the first is the last to end
        return examine(batch)

    monkeypatch.setattr(of, "examine", watched)
    beside = list(score_clips(clips(40, of), of, batch=3, most=6))
    assert len(threads) > 1
    monkeypatch.undo()
    with ThreadPoolExecutor(1) as later:
        assert later.submit(torch.get_num_threads).result() == 4
    torch.set_num_threads(usual)
    one_by_one = list(score_clips(clips(40, of), of, batch=3))
    assert [r.frame.index for r in beside] == [r.frame.index for r in one_by_one]
    assert [r.score for r in beside] == pytest.approx([r.score for r in one_by_one], rel=1e-5)


def test_an_error_side_by_side_is_raised_and_leaves_no_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of = detector(fitted=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    before = threading.active_count()
    with pytest.raises(NotFittedError, match="before fit"):
        list(score_clips(clips(40, of), of, batch=2, most=4))
    assert threading.active_count() == before


def test_a_detector_that_remembers_has_one_lane() -> None:
    assert lanes_of(build("motion", size=(48, 64))) == 1


def test_a_graph_is_compiled_for_its_lanes_and_computes_them_side_by_side(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("monitor.scoring.cores", lambda: 2)
    exported = unquantised(Model(detector()), "onnx")
    given, asked, threads = clips(40, detector()), list[int](), set[str]()
    runtime = exported.runtime

    def noted(lanes: int = 1) -> Runtime:
        asked.append(lanes)
        made = runtime(lanes)
        examine = made.examine

        def watched(batch: object) -> Found:
            threads.add(threading.current_thread().name[:4])
            return examine(batch)

        monkeypatch.setattr(made, "examine", watched)
        return made

    monkeypatch.setattr(exported, "runtime", noted)
    beside = list(score_clips(given, exported, batch=3, most=6))
    assert threads == {"lane"}
    live = list(score_clips(given, exported, batch=1, most=6))
    assert asked == [2, 1]
    assert [r.frame.index for r in beside] == [r.frame.index for r in live]
    assert [r.score for r in beside] == pytest.approx([r.score for r in live], rel=1e-5)


def test_maps_come_only_when_asked_for() -> None:
    of = detector()
    assert next(score_clips(clips(1, of), of)).map is None
    heat = next(score_clips(clips(1, of), of, maps=True)).map
    assert heat is not None
    assert heat.shape == of.spec.size
    assert heat.dtype == np.float32


def test_a_detector_that_learned_nothing_is_refused() -> None:
    of = detector(fitted=False)
    with pytest.raises(NotFittedError, match="before fit"):
        next(score_clips(clips(1, of), of))


def test_the_device_is_that_of_the_parameters() -> None:
    assert device_of(detector()) == torch.device("cpu")


def test_ahead_keeps_the_order_and_is_never_far_ahead() -> None:
    made: list[int] = []

    def make() -> Iterator[int]:
        for number in range(50):
            made.append(number)
            yield number

    taken = ahead(make(), most=4)
    first = [next(taken) for _ in range(3)]
    time.sleep(0.1)
    assert first == [0, 1, 2]
    assert 3 < len(made) <= 3 + 4 + 1  # what is ready, and one in the maker's hand
    assert list(taken) == list(range(3, 50))


def test_an_error_of_the_maker_comes_in_its_place() -> None:
    def make() -> Iterator[int]:
        yield 1
        raise OSError("the film tore")

    taken = ahead(make())
    assert next(taken) == 1
    with pytest.raises(OSError, match="the film tore"):
        next(taken)


def test_the_maker_ends_when_the_consumer_does() -> None:
    closed = threading.Event()

    def make() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            closed.set()

    before = threading.active_count()
    taken = ahead(make(), most=2)
    next(taken)
    taken.close()
    assert threading.active_count() == before
    assert closed.wait(1)
