"""The frames here and those of the hub are the same."""

import json
from pathlib import Path
from typing import Any, get_args, get_type_hints, is_typeddict

import pytest

from mcp_hub_client import frames

HUB_FRAMES = Path(__file__).parents[2] / "frames.json"

NAMES = [
    "RegisterParams",
    "RegisterResult",
    "RefusedTools",
    "CallParams",
    "CancelledParams",
    "ProgressParams",
    "LogParams",
]


def the_hubs() -> Any:
    if not HUB_FRAMES.exists():
        pytest.fail(
            "sdk/frames.json is missing: `UPDATE=1 cargo test --test it frames` writes it from the "
            "hub's own frames"
        )
    return json.loads(HUB_FRAMES.read_text())


def differences(kind: Any, full: Any, least: Any, at: str) -> list[str]:
    """In what a `TypedDict` differs from a frame with all members and from one with the fewest."""
    required, every = kind.__required_keys__, kind.__required_keys__ | kind.__optional_keys__
    found = []
    if every != full.keys():
        found.append(f"{at}: {sorted(every)} here, {sorted(full)} in the hub")
    if required != least.keys():
        found.append(f"{at} at least: {sorted(required)} here, {sorted(least)} in the hub")
    for name, hint in get_type_hints(kind).items():
        whole, part = full.get(name), least.get(name)
        inner = next((each for each in (hint, *get_args(hint)) if is_typeddict(each)), None)
        if inner is None or not whole:
            continue
        if isinstance(whole, list):
            whole, part = whole[0], (part or whole)[0]
        found += differences(inner, whole, whole if part is None else part, f"{at}.{name}")
    return found


def test_the_hub_knows_the_same_frames() -> None:
    assert sorted(the_hubs()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_frame_has_the_members_it_has_in_the_hub(name: str) -> None:
    said = the_hubs()[name]
    assert differences(getattr(frames, name), said["full"], said["least"], name) == []


def test_a_difference_would_be_found() -> None:
    said = {"tools": [{"index": 1, "name": None}], "more": 1}
    assert differences(frames.RefusedTools, said, {}, "f") == [
        "f: ['tools'] here, ['more', 'tools'] in the hub",
        "f at least: ['tools'] here, [] in the hub",
        "f.tools: ['index', 'name', 'reason'] here, ['index', 'name'] in the hub",
        "f.tools at least: ['index', 'name', 'reason'] here, ['index', 'name'] in the hub",
    ]
