from pathlib import Path

import cv2
import numpy as np

from monitor.demo.show import Shot, contact_sheet
from monitor.demo.verdict import Verdict
from monitor.records import Alert


def test_alerts_are_shown_from_a_folder_whose_name_is_no_utf8(tmp_path: Path) -> None:
    alert = Alert("1", "door", "end", 1, 0.0, 1.0, 0.5, 2.0, None)
    plain = tmp_path / "1.jpg"
    assert cv2.imwrite(str(plain), np.full((48, 64, 3), 90, np.uint8))
    (tmp_path / "o\udcff").mkdir()
    snapshot = plain.rename(tmp_path / "o\udcff" / "1.jpg")
    sheet = contact_sheet([Shot(alert, snapshot)], Verdict((), (), (alert,)))
    assert sheet.startswith(b"\x89PNG")
