"""Whole watches of small films: what is told, what is stored, what lies on the disk."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np
import pytest

from monitor.errors import CalibrationError, StoreError, UsageError
from monitor.model import Model
from monitor.recorder import Evidence, EvidenceSettings
from monitor.records import Alert, Reading
from monitor.sources import Source, open_source
from monitor.store import Store
from monitor.watching import Event, News, Summary, Trouble, WatchSettings, watch
from tests.monitor.watched import FLASH, RATE_HZ, Scripted, film, light_model

Kind = TypeVar("Kind", bound=Event)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SETTINGS = WatchSettings(
    model="light.pt", origin=NOON, evidence=EvidenceSettings(pre_s=2.0, post_s=1.0)
)


@pytest.fixture(scope="module")
def model() -> Model:
    return light_model()


@pytest.fixture(scope="module")
def flashing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("films") / "room.mp4", 23, flash=FLASH)


def all_of(
    source: Source,
    model: Model,
    folder: Path | None = None,
    store: Store | None = None,
    settings: WatchSettings = SETTINGS,
    stop: Callable[[], bool] = lambda: False,
) -> list[Event]:
    return list(watch(source, model, store=store, folder=folder, settings=settings, stop=stop))


def of_kind(kind: type[Kind], events: list[Event]) -> list[Kind]:
    return [event for event in events if isinstance(event, kind)]


def summary_of(events: list[Event]) -> Summary:
    last = events[-1]
    assert isinstance(last, Summary)
    return last


def test_a_flash_is_one_alert_with_its_begin_and_end(flashing: Path, model: Model) -> None:
    events = all_of(open_source(flashing), model)
    news = of_kind(News, events)
    assert [item.alert.phase for item in news][:: len(news) - 1] == ["new", "end"]
    assert len({item.alert.id for item in news}) == 1
    end = news[-1].alert
    assert FLASH[0] <= end.start_s <= FLASH[0] + 0.5  # the smoothing follows within its 0.5 s
    assert FLASH[1] - 0.1 <= end.end_s <= FLASH[1] + 1.5  # three time constants to under `exit`
    assert FLASH[0] <= end.peak_s < FLASH[1]
    assert (end.source, end.reason, end.ended_by) == ("room.mp4", "above", "")
    assert news[-1].strength > 1
    assert news[0].started_at == NOON + timedelta(seconds=end.start_s)


def test_a_dim_room_raises_nothing(tmp_path: Path, model: Model) -> None:
    source = open_source(film(tmp_path / "room.mp4", 10))
    summary = summary_of(all_of(source, model))
    assert (summary.frames, summary.readings, summary.alerts) == (100, 99, 0)
    assert summary.footage_s == pytest.approx(9.9)
    assert (summary.fault, summary.lost, summary.promised_per_day) == ("", 0, 24.0)
    assert not summary.judgeable


def test_three_expected_alarms_make_a_promise_judgeable(model: Model) -> None:
    summary = summary_of(all_of(Scripted(3), model))
    assert replace(summary, footage_s=3 * 3600.0).judgeable
    assert not replace(summary, footage_s=2.9 * 3600).judgeable
    assert replace(summary, alerts=2, footage_s=43_200.0).alerts_per_day == 4


def test_the_store_holds_the_alert_and_where_its_evidence_lies(
    flashing: Path, model: Model, tmp_path: Path
) -> None:
    with Store(tmp_path / "events.db") as store:
        events = all_of(open_source(flashing), model, tmp_path, store)
        (row,) = store.find()
    assert row.alert == of_kind(News, events)[-1].alert
    assert row.started_at == NOON + timedelta(seconds=row.alert.start_s)
    assert row.model == "light.pt"
    assert Path(row.snapshot).is_file()
    assert row.clip == str(of_kind(Evidence, events)[0].clip)


def test_the_clip_plays_and_spans_the_alert(flashing: Path, model: Model, tmp_path: Path) -> None:
    events = all_of(open_source(flashing), model, tmp_path)
    alert = of_kind(News, events)[-1].alert
    clip = of_kind(Evidence, events)[0].clip
    with av.open(str(clip)) as container:
        pictures = [
            (float(item.time or 0), item.to_ndarray(format="rgb24")[:24, :40].mean())
            for item in container.decode(video=0)
        ]
    bright = [time_s for time_s, level in pictures if level > 150]
    offset_s = alert.start_s - 2.0  # pre_s
    assert bright[0] + offset_s == pytest.approx(FLASH[0], abs=0.15)
    assert bright[-1] + offset_s == pytest.approx(FLASH[1], abs=0.25)
    assert pictures[-1][0] + offset_s == pytest.approx(alert.end_s + 1.0, abs=0.15)


def test_the_snapshot_is_of_the_peak_and_shows_where(
    flashing: Path, model: Model, tmp_path: Path
) -> None:
    import cv2

    news = of_kind(News, all_of(open_source(flashing), model, tmp_path))[-1]
    assert news.snapshot is not None
    plain = cv2.imread(str(news.snapshot).replace(".jpg", "-plain.jpg"))
    shown = cv2.imread(str(news.snapshot))
    assert plain is not None
    assert shown is not None
    assert plain[:20, :36].mean() > 200  # taken in the flash
    changed = np.abs(shown.astype(int) - plain).mean(axis=2)
    assert changed[:20, :36].mean() > 5 * changed[30:, 44:].mean()


def test_readings_have_p_values_and_are_told_before_their_alert(
    flashing: Path, model: Model
) -> None:
    events = all_of(open_source(flashing), model)
    readings = of_kind(Reading, events)
    assert all(reading.p_value is not None for reading in readings)
    first = next(i for i, event in enumerate(events) if isinstance(event, News))
    before = events[first - 1]
    assert isinstance(before, Reading)
    assert before.frame.time_s == of_kind(News, events)[0].alert.end_s


def test_a_camera_that_breaks_off_ends_its_alert_and_is_said(tmp_path: Path, model: Model) -> None:
    with Store(tmp_path / "events.db") as store:
        camera = Scripted(9.5, breaks="camera: stopped after 95 frames")
        events = all_of(camera, model, tmp_path, store)
        (row,) = store.find()
    assert summary_of(events).fault == "camera: stopped after 95 frames"
    assert summary_of(events).readings == 94  # none of them lost
    assert (row.alert.phase, row.alert.ended_by) == ("end", "end_of_source")
    assert Path(row.clip).is_file()


def test_a_file_that_is_cut_off_is_said(tmp_path: Path, model: Model) -> None:
    path = film(tmp_path / "room.avi", 12)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    events = all_of(open_source(path), model)
    assert "room.avi" in summary_of(events).fault
    assert 60 < summary_of(events).frames < 100


def test_a_film_shorter_than_a_clip_is_said(tmp_path: Path, model: Model) -> None:
    summary = summary_of(all_of(open_source(film(tmp_path / "blink.mp4", 0.1)), model))
    assert "blink.mp4: 1 frames, 0.0 s, held no clip to judge" in summary.fault
    assert "takes 2 unbroken frames" in summary.fault


def test_asked_to_stop_it_ends_what_is_open(model: Model, tmp_path: Path) -> None:
    asked = iter(range(10_000))
    with Store(tmp_path / "events.db") as store:
        events = all_of(Scripted(20), model, None, store, stop=lambda: next(asked) >= 90)
        (row,) = store.find()
    assert row.alert.phase == "end"
    assert (summary_of(events).frames, summary_of(events).fault) == (90, "")


def test_until_s_is_of_the_sources_clock(model: Model) -> None:
    settings = replace(SETTINGS, until_s=5.0)
    assert summary_of(all_of(Scripted(20), model, settings=settings)).frames == 51


def test_closing_the_generator_stores_the_end(model: Model, tmp_path: Path) -> None:
    with Store(tmp_path / "events.db") as store:
        happenings = watch(Scripted(20), model, store=store, folder=tmp_path, settings=SETTINGS)
        next(event for event in happenings if isinstance(event, News))
        happenings.close()  # type: ignore[attr-defined]
        (row,) = store.find()
    assert (row.alert.phase, row.alert.ended_by) == ("end", "end_of_source")
    assert Path(row.clip).is_file()


class Failing(Store):
    """Refuses the first writes."""

    def __init__(self, place: Path, refusals: int) -> None:
        super().__init__(place)
        self.refusals = refusals

    def record(self, alert: Alert, **values: Any) -> bool:
        if self.refusals > 0:
            self.refusals -= 1
            raise StoreError("events.db may only be read")
        return super().record(alert, **values)


def test_a_store_that_fails_is_said_once_and_watching_goes_on(model: Model, tmp_path: Path) -> None:
    with Failing(tmp_path / "events.db", 10_000) as store:
        events = all_of(Scripted(20), model, tmp_path, store)
        assert store.count() == 0
    (trouble,) = of_kind(Trouble, events)
    assert "events.db may only be read; watching goes on" in trouble.text
    assert (summary_of(events).alerts, summary_of(events).unstored) == (1, 1)
    assert summary_of(events).frames == 200


def test_what_a_store_has_missed_is_offered_again(model: Model, tmp_path: Path) -> None:
    with Failing(tmp_path / "events.db", 2) as store:
        events = all_of(Scripted(20), model, tmp_path, store)
        (row,) = store.find()
    assert [event.text.split(";")[0] for event in of_kind(Trouble, events)] == [
        "events.db may only be read",
        "the store works again",
    ]
    assert row.alert == of_kind(News, events)[-1].alert
    assert row.snapshot
    assert summary_of(events).unstored == 0


def test_a_folder_that_cannot_be_written_is_said_and_watching_goes_on(
    model: Model, tmp_path: Path
) -> None:
    folder = tmp_path / "taken"
    folder.write_text("a file where a folder should be")
    with Store(tmp_path / "events.db") as store:
        events = all_of(Scripted(20), model, folder, store)
        (row,) = store.find()
    (trouble,) = of_kind(Trouble, events)
    assert "no evidence for alert" in trouble.text
    assert (row.alert.phase, row.snapshot, row.clip) == ("end", "", "")
    assert summary_of(events).frames == 200


def test_another_shape_of_picture_is_refused(model: Model) -> None:
    wide = replace(model, provenance=model.provenance | {"source_size": [48, 96]})
    with pytest.raises(UsageError, match="another shape"):
        all_of(Scripted(3), wide)


def test_a_model_without_a_calibration_is_refused(model: Model) -> None:
    with pytest.raises(CalibrationError, match="oddwatch calibrate"):
        all_of(Scripted(3), replace(model, calibration=None))


def test_a_source_slower_than_the_model_learned_at_is_said(model: Model) -> None:
    fast = replace(model, provenance=model.provenance | {"rate_hz": 25.0})
    (trouble,) = of_kind(Trouble, all_of(Scripted(3), fast))
    assert f"gives {RATE_HZ} frames per second, the model learned at 25" in trouble.text
