"""What our own code never does with what it reads; ``docs/security.md`` points here."""

import ast
from collections.abc import Iterator
from pathlib import Path

import versus


def calls() -> Iterator[tuple[Path, str, ast.Call]]:
    """Every call in our code: file, name as it is written, the call."""
    for path in sorted(Path(versus.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield path, ast.unparse(node.func), node


def test_our_code_evaluates_no_text_and_loads_no_pickle() -> None:
    given = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False)}
    shells = {"os.system", "os.popen", "subprocess.getoutput"}
    refused = {"eval", "exec", "compile", "sympify", "sympy.sympify", "pickle.load", "pickle.loads"}
    counted = 0
    for path, name, call in calls():
        words = {word.arg: ast.unparse(word.value) for word in call.keywords}
        assert name not in refused | shells, path
        assert words.get("shell", "False") == "False", path
        if name in given:
            key, value = given[name]
            assert words.get(key) == str(value), path
            counted += 1
    assert counted >= 3


def test_code_of_others_is_allowed_in_one_place() -> None:
    places = {
        p.name for p, _, c in calls() if any(w.arg == "trust_remote_code" for w in c.keywords)
    }
    assert not places  # only the mapping that _pins makes
    texts = Path(versus.__file__).parent.rglob("*.py")
    naming = {p.parent.name for p in texts if '"trust_remote_code":' in p.read_text()}
    assert naming == {"backbones"}
