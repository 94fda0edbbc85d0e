"""The contracts of [tool.importlinter] in pyproject.toml: which package may import which."""

from importlinter.cli import lint_imports


def test_packages_import_in_one_direction(pytestconfig, monkeypatch, capsys):
    monkeypatch.chdir(pytestconfig.rootpath)
    # It would disable every logger of this process, and tests that run after this one look at their records.
    monkeypatch.setattr('importlinter.cli.logging_config.dictConfig', lambda settings: None)
    status = lint_imports(no_cache=True, no_logo=True)
    assert status == 0, capsys.readouterr().out
