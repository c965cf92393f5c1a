import tomllib

from monitor.config.lines import line_of, lines_of

TEXT = '''# head
[engine]
folder = "a"  # [[camera]]
[[camera]]
name = "a # [b"
tags = [
  "x", # ]
  "y",
]
url = """
name = no key
[[camera]]
"""
[[camera]]
"name" = 'c"""'
fps = 1
api.port = 3
'''


def test_places_are_found_and_texts_and_arrays_are_passed_over() -> None:
    tomllib.loads(TEXT)
    lines = lines_of(TEXT)
    assert lines[("engine",)] == 2
    assert lines[("engine", "folder")] == 3
    assert lines[("camera", 0)] == 4
    assert lines[("camera", 0, "tags")] == 6
    assert lines[("camera", 0, "url")] == 10
    assert lines[("camera", 1)] == 14
    assert lines[("camera", 1, "name")] == 15
    assert lines[("camera", 1, "fps")] == 16
    assert lines[("camera", 1, "api", "port")] == 17
    assert ("camera", 2) not in lines


def test_what_cannot_be_placed_has_the_line_of_what_holds_it() -> None:
    lines = lines_of(TEXT)
    assert line_of(("camera", 0, "tags", 1), lines) == 6
    assert line_of(("camera", 1, "learn"), lines) == 14
    assert line_of(("retention", "days"), lines) is None
    assert line_of((), lines) is None
