from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest

import edge.config
from edge.config import load_settings
from edge.core.errors import ConfigError

SMALLEST = """
[device]
name = "axi1"
[model]
bundle = "/b"
[mqtt]
base_topic = "acme/line3/axi1"
"""
PROFILES = sorted((Path(__file__).parents[3] / "firmware_cfg" / "devices").glob("*.toml"))


def load(tmp_path: Path, text: str) -> edge.config.Settings:
    path = tmp_path / "axi-edge.toml"
    path.write_text(text)
    return load_settings(path)


def test_three_keys_are_enough(tmp_path: Path) -> None:
    settings = load(tmp_path, SMALLEST)
    assert settings.inference.runtime == "auto"
    assert settings.spool.path == "/var/spool/axi-edge"


def test_a_joint_type_may_have_a_bundle_of_its_own(tmp_path: Path) -> None:
    settings = load(tmp_path, SMALLEST.replace("[mqtt]", '[model.routes.SMT]\nbundle = "/q"\n[mqtt]'))
    assert (settings.model.bundle_of(""), settings.model.bundle_of("SMT")) == ("/b", "/q")
    with pytest.raises(
        ConfigError,
        match=r"model\.routes\.BGA.*missing; leave the type out for the main bundle, or add the route; there are: SMT",
    ):
        settings.model.bundle_of("BGA")


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_a_device_profile_loads_and_names_every_key(profile: Path) -> None:
    settings = load_settings(profile)
    document = tomllib.loads(profile.read_text())
    for section in settings.__struct_fields__:
        assert set(document[section]) == set(getattr(settings, section).__struct_fields__), section


def test_profiles_differ_in_how_they_infer_and_nothing_else() -> None:
    names = {path.stem for path in PROFILES}
    assert {"x86-64-box", "intel-n97", "raspberry-pi-5", "imx8m-plus", "jetson-orin-nano"} <= names
    usual = load_settings(next(path for path in PROFILES if path.stem == "x86-64-box"))
    for path in PROFILES:
        settings = load_settings(path)
        assert msgspec.structs.replace(settings, inference=usual.inference) == usual, path.stem
        assert "# Documented (" in path.read_text() or "# Measured (" in path.read_text()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("[device]\nname", "[device]\nnam"), r"\[device\] nam: unknown; the nearest valid name is 'name'"),
        (("[model]", "[modle]"), r"\[modle\]: unknown; the nearest valid name is 'model'"),
        (('bundle = "/b"', ""), r"\[model\] bundle: missing; add it"),
        (("[mqtt]", "[model.routes.SMT]\n[mqtt]"), r"\[model\.routes\.SMT\] bundle: missing; add it"),
        (("[mqtt]", "[model.routes.SMT]\nbundle = 3\n[mqtt]"), r"\[model\.routes\.SMT\] bundle: text, in quotes"),
        (("[mqtt]", '[model.routes]\nSMT = "/q"\n[mqtt]'), r"\[model\.routes\.SMT\]: a table with a name"),
        (("[mqtt]", '[model.routes.""]\nbundle = "/q"\n[mqtt]'), r"\[model\.routes\.\(empty\)\]: a table with a name"),
        (
            ("[mqtt]", '[model.routes.SMT]\nbundle = "/q"\npoint = "p"\n[mqtt]'),
            r"\[model\.routes\.SMT\] point: unknown; the nearest valid name is 'operating_point'",
        ),
        (('[device]\nname = "axi1"', ""), r"\[device\]: missing; add it"),
        (('"axi1"', '"axi 1"'), r"\[device\] name: "),
        (('"acme/line3/axi1"', '"acme/#"'), r"\[mqtt\] base_topic: "),
        (
            ('base_topic = "acme/line3/axi1"', 'base_topic = "a"\nport = "1883"'),
            r"\[mqtt\] port: a whole number is expected, not text",
        ),
        (("[device]", "[device"), "not valid TOML"),
    ],
)
def test_a_mistake_is_named_with_file_key_and_remedy(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=rf"axi-edge\.toml: {says}"):
        load(tmp_path, SMALLEST.replace(*change))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: No such file"):
        load_settings(tmp_path / "nowhere.toml")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_may_begin_with_a_byte_order_mark_or_be_utf_16(encoding: str, tmp_path: Path) -> None:
    """As editors on other systems leave it."""
    text = PROFILES[0].read_text()
    path = tmp_path / "axi-edge.toml"
    path.write_text(text, encoding=encoding)
    assert load_settings(path) == load_settings(PROFILES[0])


def test_drop_ins_come_over_the_file_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "axi-edge.d"
    folder.mkdir()
    (folder / "20-b.toml").write_text("[inference]\nthreads = 3\n")
    (folder / "10-a.toml").write_text('[inference]\nthreads = 2\nkernels = "exact"\n')
    (folder / "notes.txt").write_text("not read")
    settings = load(tmp_path, SMALLEST + "[inference]\nthreads = 1\nprocesses = 4\n")
    assert (settings.inference.threads, settings.inference.kernels, settings.inference.processes) == (3, "exact", 4)


def test_a_folder_of_drop_ins_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "axi-edge.d").write_text("a file")
    with pytest.raises(ConfigError, match=r"axi-edge\.d: Not a directory; make it a folder"):
        load(tmp_path, SMALLEST)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[inference]\nthread = 3\n", "the nearest valid name is 'threads'"),
        ("[inference]\nthreads = 0\n", "[inference] threads"),
        ("[inference\n", "not valid TOML"),
        ("inference = 3\n", "[inference]"),
    ],
)
def test_what_is_wrong_in_a_drop_in_names_it(tmp_path: Path, text: str, words: str) -> None:
    folder = tmp_path / "axi-edge.d"
    folder.mkdir()
    (folder / "10-a.toml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, SMALLEST)
    assert str(folder / "10-a.toml") in str(refused.value)
    assert words in str(refused.value)
