import json

from facegender.training.state import read_state, restore, restore_best, save_state
from tests.faults.crash import _network, _state


def names(folder):
    return {path.name for path in (folder / "last").iterdir()}


def test_a_state_with_numbered_names_is_read_and_gets_the_usual_ones(tmp_path):
    """As facegender 0.1 wrote it."""
    save_state(tmp_path, _state("data", 1), _network(3.0), best=True)
    assert names(tmp_path) == {"state.json", "state.npz", "best.npz"}
    head = tmp_path / "last" / "state.json"
    content = json.loads(head.read_text())
    for role, old in (("state", "state-1-0-0a1b2c3d.npz"), ("best", "best-1-0a1b2c3d.npz")):
        (head.parent / content["files"][role]["name"]).rename(head.parent / old)
        content["files"][role]["name"] = old
    head.write_text(json.dumps(content))
    network = _network(0.0)
    restore(tmp_path, network)
    assert network.variables[0][0] == 3
    save_state(tmp_path, read_state(tmp_path), _network(4.0), best=False)
    restore_best(tmp_path, network)
    assert network.variables[0][0] == 3, "what was not written again is still there"
    save_state(tmp_path, _state("data", 2), _network(5.0), best=True)
    assert names(tmp_path) == {"state.json", "state.npz", "best.npz"}
