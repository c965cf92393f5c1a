import asyncio

import pytest

from monitor.api.client_errors import EngineGone, Unanswered
from monitor.api.schema import Message, Said
from monitor.errors import StoreError
from monitor.tui.state.desk import Desk, Source
from monitor.tui.state.site import Site
from tests.monitor.tui.scripted import NOW, alert, camera, engine_status, scripted


def made(count=3, *, name="north"):
    alerts = [alert(n, f"cam {n % 2}", 60 + n * 30) for n in range(count)]
    engine = scripted([camera("cam 0"), camera("cam 1")], alerts=alerts)
    site = Site(name, lambda: 0.0, lambda: NOW)
    site.connected()
    site.take(Message(engine=engine_status(), cameras=engine.first.cameras, alerts=alerts))
    return engine, Source(engine, site)


def loaded(desk):
    asyncio.run(desk.load())
    return [seen.alert.id[-3:] for seen in desk.rows]


def test_filters_are_asked_of_the_engine():
    engine, source = made()
    desk = Desk([source])
    desk.narrow(phase="new", camera="cam 1", days=7, text="motion", sort="strongest")
    loaded(desk)
    asked = engine.asked[-1]
    assert (asked.camera, asked.acknowledged, asked.text, asked.sort) == (
        "cam 1",
        False,
        "motion",
        "strongest",
    )
    assert (NOW - asked.since).days == 7
    desk.narrow(phase="normal_here")
    loaded(desk)
    assert (engine.asked[-1].label, engine.asked[-1].acknowledged) == ("normal_here", None)


def test_pages_go_through_all_and_end_where_alerts_end():
    _, source = made(230)
    desk = Desk([source])
    assert (len(loaded(desk)), desk.pages) == (100, 3)
    desk.page = 2
    assert loaded(desk)[-1] == "229"
    desk.page = 9  # deleted meanwhile
    assert len(loaded(desk)) == 30
    assert desk.page == 2


def test_two_engines_are_merged_by_time():
    first, second = made(2, name="a")[1], made(2, name="b")[1]
    desk = Desk([first, second])
    loaded(desk)
    assert [seen.site.name for seen in desk.rows] == ["a", "b", "a", "b"]
    assert desk.total == 4
    second.site.lost("gone")
    loaded(desk)
    assert [seen.site.name for seen in desk.rows] == ["a", "a"]


def test_pages_of_several_engines_go_through_all_of_them():
    first, second = made(1_500, name="a")[1], made(900, name="b")[1]
    desk = Desk([first, second])
    found = []
    while desk.page < desk.pages:
        asyncio.run(desk.load())
        found += [(seen.site.name, seen.alert.id) for seen in desk.rows]
        desk.page += 1
    assert (desk.total, desk.pages, len(found), len(set(found))) == (2_400, 24, 2_400, 2_400)
    desk.narrow(sort="oldest")
    loaded(desk)
    began = [seen.alert.started_at for seen in desk.rows]
    assert began == sorted(began)


def test_a_page_of_several_engines_asks_for_no_more_than_it_needs():
    (one, first), (other, second) = made(1_500, name="a"), made(0, name="b")
    desk = Desk([first, second], page=7)
    loaded(desk)
    assert [(asked.offset, asked.limit) for asked in one.asked] == [(0, 500), (500, 500)]
    assert [(asked.offset, asked.limit) for asked in other.asked] == [(0, 500)]


def test_engines_that_are_all_lost_are_said_to_be():
    async def gone(_):
        raise EngineGone("no engine there")

    sources = [made(name=name)[1] for name in "ab"]
    for source in sources:
        source.site.lost("gone")
        source.engine.alerts = gone
    with pytest.raises(EngineGone):
        loaded(Desk(sources))


def test_what_was_said_is_taken_back_in_order():
    engine, source = made()
    desk = Desk([source])
    loaded(desk)
    seen = desk.rows[0]
    asyncio.run(desk.say(seen, Said(acknowledged=True, label="true"), "labelled"))
    asyncio.run(desk.say(seen, Said(label="unsure"), "labelled"))
    asyncio.run(desk.say(seen, Said(note="van"), "note"))
    states = []
    while asyncio.run(desk.undo()):
        now = engine.known[seen.alert.id]
        states.append((now.label, bool(now.acknowledged_at), now.note))
    assert states == [("unsure", True, ""), ("true", True, ""), (None, False, "")]


def test_what_is_taken_back_is_what_the_engine_had_and_not_what_was_known_here():
    engine, source = made()
    desk = Desk([source])
    loaded(desk)
    seen = desk.rows[0]
    said = {"note": "first", "label": "true", "pinned": True, "acknowledged_at": NOW}
    engine.known[seen.alert.id] = seen.alert.model_copy(update=said)  # by somebody else
    every = Said(note="second", label="unsure", pinned=False, acknowledged=True)
    asyncio.run(desk.say(seen, every, ""))
    asyncio.run(desk.undo())
    now = engine.known[seen.alert.id]
    assert (now.note, now.label, now.pinned, now.acknowledged_at) == ("first", "true", True, NOW)


def test_what_is_said_in_haste_is_taken_back_one_by_one():
    async def hasty():
        await asyncio.gather(*(desk.say(seen, Said(note=text), text) for text in "abc"))
        await asyncio.gather(desk.undo(), desk.undo())

    engine, source = made()
    desk = Desk([source])
    loaded(desk)
    seen = desk.rows[0]
    asyncio.run(hasty())
    assert engine.known[seen.alert.id].note == "a"
    assert [step.text for step in desk.steps] == ["a"]


@pytest.mark.parametrize("names", ["a", "ab"])
def test_what_is_still_being_said_is_taken_back_first(names, monkeypatch):
    async def slowly(alert_id, said):
        begun.set()
        await going.wait()
        return await say(alert_id, said)

    async def hasty():
        await desk.say(first, Said(acknowledged=True), "acknowledged")
        monkeypatch.setattr(engine, "say", slowly)
        saying = asyncio.create_task(desk.say(last, Said(note="van"), "note"))
        await begun.wait()
        undoing = asyncio.create_task(desk.undo())
        await asyncio.sleep(0)
        going.set()
        await saying
        return await undoing

    begun, going = asyncio.Event(), asyncio.Event()
    engines, sources = zip(*(made(name=name) for name in names), strict=True)
    desk = Desk(sources)
    loaded(desk)
    first, last, engine = desk.rows[0], desk.rows[-1], engines[-1]
    say = engine.say
    assert asyncio.run(hasty()).text == "note"
    assert engine.known[last.alert.id].note == ""
    assert engines[0].known[first.alert.id].acknowledged_at == NOW
    assert [step.text for step in desk.steps] == ["acknowledged"]


def test_what_was_not_answered_can_be_taken_back_and_is_looked_up(monkeypatch):
    async def hung(alert_id, said):
        await say(alert_id, said)
        engine.refusal = EngineGone("it does not answer in time")
        raise Unanswered("no answer")

    async def heard():
        waiting = asyncio.create_task(desk.hear(seen))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        engine.refusal = None
        return await waiting

    monkeypatch.setattr("monitor.tui.state.desk.AGAIN_S", 0.01)
    engine, source = made()
    desk = Desk([source])
    loaded(desk)
    seen, say = desk.rows[0], engine.say
    monkeypatch.setattr(engine, "say", hung)
    with pytest.raises(Unanswered):
        asyncio.run(desk.say(seen, Said(label="true"), "labelled true"))
    monkeypatch.setattr(engine, "say", say)
    assert asyncio.run(heard()).alert.label == "true"
    assert desk.rows[0].alert.label == "true"
    assert asyncio.run(desk.undo()).text == "labelled true"  # type: ignore[union-attr]
    assert engine.known[seen.alert.id].label is None


def test_what_was_refused_leaves_nothing_to_take_back(monkeypatch):
    async def refuse(alert_id, said):
        raise StoreError("the store is read-only")

    engine, source = made()
    desk = Desk([source])
    loaded(desk)
    monkeypatch.setattr(engine, "say", refuse)
    with pytest.raises(StoreError):
        asyncio.run(desk.say(desk.rows[0], Said(pinned=True), ""))
    assert desk.steps == []


def test_an_undo_that_fails_can_be_tried_again():
    engine, source = made()
    desk = Desk([source])
    loaded(desk)
    asyncio.run(desk.say(desk.rows[0], Said(pinned=True), "kept"))
    engine.refusal = StoreError("the store is read-only")
    with pytest.raises(StoreError):
        asyncio.run(desk.undo())
    engine.refusal = None
    assert asyncio.run(desk.undo()).text == "kept"  # type: ignore[union-attr]


def test_the_next_unacknowledged_is_found_both_ways():
    _, source = made(5)
    desk = Desk([source])
    loaded(desk)
    for place in (1, 2):
        asyncio.run(desk.say(desk.rows[place], Said(acknowledged=True), ""))
    first, last = desk.rows[0], desk.rows[4]
    assert desk.neighbour(first, 1, unacknowledged=True) is desk.rows[3]
    assert desk.neighbour(desk.rows[3], -1, unacknowledged=True) is first
    assert desk.neighbour(first, 1) is desk.rows[1]
    assert desk.neighbour(last, 1) is None


def test_an_export_holds_all_that_match_and_no_formula():
    _, source = made(150)
    engine = source.engine
    one = next(iter(engine.known))
    engine.known[one] = engine.known[one].model_copy(update={"note": '=HYPERLINK("x")'})
    desk = Desk([source])
    done = asyncio.run(desk.export())
    lines = done.text.splitlines()
    assert (len(lines), done.alerts, done.missing) == (151, 150, [])
    assert lines[0].startswith("engine,id,camera,started_at")
    assert "'=HYPERLINK" in lines[1]


def test_an_export_of_several_engines_holds_all_and_names_the_engine_that_is_missing():
    first, second = made(1_500, name="a")[1], made(12_000, name="b")[1]
    desk = Desk([first, second])
    done = asyncio.run(desk.export())
    lines = done.text.splitlines()
    assert (len(lines), done.alerts, done.missing) == (13_501, 13_500, [])
    assert len(set(lines)) == 13_501
    began = [line.split(",")[3] for line in lines[1:]]
    assert began == sorted(began, reverse=True)
    second.site.lost("gone")
    done = asyncio.run(desk.export())
    assert (done.alerts, done.missing) == (1_500, ["b"])


def test_an_alert_that_comes_again_as_one_is_raised_is_exported_once():
    engine, source = made(700)
    answer = engine.alerts

    async def raising(wanted):
        page = await answer(wanted)
        fresh = alert(9_000 + len(engine.asked), "cam 0", 1)
        engine.known[fresh.id] = fresh
        return page

    engine.alerts = raising
    done = asyncio.run(Desk([source]).export())
    assert done.alerts == len(set(done.text.splitlines())) - 1 == 700


@pytest.mark.parametrize("sort", ["newest", "oldest", "strongest"])
def test_an_export_of_what_nobody_has_seen_holds_what_is_seen_meanwhile(sort):
    async def judging(wanted):
        page = await answer(wanted)
        for one in page.alerts[:150]:  # by somebody else
            engine.known[one.id] = one.model_copy(update={"acknowledged_at": NOW})
        return page

    engine, source = made(1_700)
    answer = engine.alerts
    engine.alerts = judging
    desk = Desk([source])
    desk.narrow(phase="new", sort=sort)
    done = asyncio.run(desk.export())
    lines = done.text.splitlines()[1:]
    assert done.alerts == len({line.split(",")[1] for line in lines}) == len(lines) == 1_700
    began = [line.split(",")[3] for line in lines]
    assert began == sorted(began, reverse=sort != "oldest")


@pytest.mark.parametrize("count", [0, 499, 500, 501, 1_000, 1_300])
@pytest.mark.parametrize("together", [1, 7, 5_000])
def test_an_export_holds_all_of_an_instant(count, together):
    engine, source = made(0)
    alerts = [alert(n, "cam 0", 60 + n // together) for n in range(count)]
    engine.known = {one.id: one for one in alerts}
    done = asyncio.run(Desk([source]).export())
    assert done.alerts == len(set(done.text.splitlines())) - 1 == count


def test_an_export_by_strength_ends_with_what_has_none():
    engine, source = made(0)
    strengths = (None, -0.5, 2.0, 0.0)
    alerts = [alert(n, "cam 0", 60, strength=of) for n, of in enumerate(strengths)]
    engine.known = {one.id: one for one in alerts}
    desk = Desk([source])
    desk.narrow(sort="strongest")
    lines = asyncio.run(desk.export()).text.splitlines()[1:]
    assert [line.split(",")[5] for line in lines] == ["2", "0", "-0.5", ""]
