"""A camera that is seen and that nobody judges says so, in words."""

from tests.monitor.live.scripted import World, usual


def told(world: World) -> tuple[str, str]:
    station = world.crew.stations["gate"]
    return station.state, station.reason


def alone(**settings: object) -> World:
    return World(names=("gate",), stats=lambda _c, _s: usual(motion=0.05), settings=settings)


def test_a_model_that_is_being_loaded_is_waited_for() -> None:
    world = alone()
    list(world.scorers[0].answers())  # takes the answer away
    world.run(20)
    assert told(world) == ("warmup", "its model is being loaded: model.pt")
    world.crew.judge_by("gate", "model.pt", world.time.now_s)
    world.run(5)
    assert told(world) == ("running", "")


def test_scoring_that_died_is_waited_for() -> None:
    world = alone()
    world.run(20)
    world.loads = False
    world.scorers[-1].alive = False
    world.run(10)
    said = "the scoring process died; nothing is judged until it is back"
    assert told(world) == ("warmup", said)
    world.loads = True
    world.scorers[-1].alive = False
    world.run(10)
    assert told(world) == ("running", "")


def seldom(_camera: str, at_s: float) -> bool:
    return at_s < 2 or round(at_s * 10) % 200 == 0


def test_too_few_frames_for_a_clip_are_a_fault_and_a_score_mends_it() -> None:
    world = alone(stall_s=60.0)
    world.run(10)
    assert told(world) == ("running", "")
    world.up = seldom
    world.scorers[0].finds = False
    world.run(120)
    state, reason = told(world)
    assert state == "failed"
    assert reason.startswith("frames come every ")
    assert "the model learned at 10 per second: too few to be judged by it" in reason
    assert world.crew.stations["gate"].judged.fault == reason  # and so a health event
    world.up = lambda _camera, _now_s: True
    world.scorers[0].finds = True
    world.run(5)
    assert told(world) == ("running", "")


def test_a_scorer_that_does_not_follow_degrades_the_camera() -> None:
    world = alone()
    world.run(10)
    world.scorers[0].finds = False
    world.run(35)
    assert told(world) == ("running", "")  # its turn comes every five seconds, and it may be late
    world.run(20)
    state, reason = told(world)
    assert (state, reason[:22]) == ("degraded", "nothing was judged for")
    world.scorers[0].finds = True
    world.run(2)
    assert told(world) == ("running", "")


def test_a_lost_connection_is_told_before_what_judges_it() -> None:
    world = alone()
    list(world.scorers[0].answers())
    world.run(10)
    world.up = lambda _camera, _now_s: False
    world.feeds["gate"].hang_up()
    world.run(2)
    state, reason = told(world)
    assert (state, "model" in reason) == ("backoff", False)
