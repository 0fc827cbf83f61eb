from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gansmith.config import Config, DataConfig, build, from_json, keys, merge, parse_settings
from gansmith.errors import GansmithError


def test_every_problem_is_named_in_one_error() -> None:
    wrong = {
        "lr": 3,
        "batch_size": 1,
        "size": "sixty-four",
        "latent_sise": 5,
        "data": {"fit": "stretch", "max_skipped": 2},
    }
    with pytest.raises(GansmithError) as caught:
        build(wrong)
    text = str(caught.value)
    for key in ("lr:", "batch_size:", "size:", "latent_sise:", "data.fit:", "data.max_skipped:"):
        assert key in text
    assert len(text.splitlines()) == 7
    assert "'stretch'" in text
    assert "56x64" in text


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ({"latent_sise": 5}, "latent_size"),
        ({"batchsize": 5}, "batch_size"),
        ({"data": {"fitt": "pad"}}, "data.fit"),
        ({"data": {"memory": 1}}, "data.memory_gb"),
    ],
)
def test_a_misspelled_key_is_answered_with_the_nearest(wrong: dict, right: str) -> None:
    with pytest.raises(GansmithError, match=rf"did you mean {right}\?"):
        build(wrong)


def test_a_key_like_no_other_is_answered_with_where_they_are_listed() -> None:
    with pytest.raises(GansmithError, match="recipes --keys"):
        build({"qqqqqqqq": 1})


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"minutes": 1, "images": 5}, "not several"),
        ({"gradient_penalty": 10, "d_norm": "none"}, "wasserstein"),
        ({"gradient_penalty": 10, "loss": "wasserstein"}, "d_norm=none"),
        ({"loss": "relativistic", "label_smoothing": 0.1}, "relativistic"),
        ({"loss": "relativistic", "noisy_labels": 0.1}, "relativistic"),
        ({"model": "mlp", "augment": ("flip",)}, "not for points"),
        ({"model": "mlp", "data": {"flip": True}}, "not for points"),
        ({"model": "mlp", "data": {"affine": True}}, "not for points"),
        ({"copybook": "auto"}, "only words have a recogniser"),
        ({"model": "words", "size": "32", "dropout": 0.1}, "no such switch"),
        ({"model": "words", "size": "32", "augment": ("flip",)}, "words know affine alone"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(values: dict, word: str) -> None:
    with pytest.raises(GansmithError, match=word):
        build(values)


def test_contradictions_too_are_all_named_at_once() -> None:
    with pytest.raises(GansmithError) as caught:
        build({"minutes": 1, "epochs": 2, "gradient_penalty": 1})
    assert "not several" in str(caught.value)
    assert "wasserstein" in str(caught.value)
    assert "d_norm=none" in str(caught.value)


@pytest.mark.parametrize(
    ("size", "width", "height"),
    [("64", 64, 64), ("56x64", 56, 64), ("9999x1", 9999, 1), (None, None, None)],
)
def test_a_size_is_one_number_or_width_x_height(
    size: str | None, width: int | None, height: int | None
) -> None:
    config = Config(size=size)
    assert (config.width, config.height) == (width, height)


@pytest.mark.parametrize(
    "size",
    ["", "0", "064", "-64", "64x", "x64", "64x0", "64 x 64", "64X64", "12345", "64\n", "6.4"],
)
def test_other_forms_of_a_size_are_refused(size: str) -> None:
    with pytest.raises(GansmithError, match="a size such as 64"):
        build({"size": size})


def test_a_size_may_be_given_as_a_number() -> None:
    assert build({"size": 64}).size == "64"


@pytest.mark.parametrize(
    "values",
    [
        {"minutes": float("nan")},
        {"minutes": float("inf")},
        {"lr": float("nan")},
        {"r1": float("nan")},
        {"r1": float("inf")},
        {"ema_kimg": float("nan")},
        {"beta1": float("nan")},
        {"data": {"memory_gb": float("nan")}},
        {"data": {"max_skipped": float("nan")}},
        {"augment_p": float("nan")},
        {"lr": 0},
        {"beta2": 1},
        {"dropout": 1},
        {"label_smoothing": 0.5},
        {"seed": -1},
        {"seed": 2**63},
        {"keep": 0},
    ],
)
def test_numbers_without_a_meaning_are_refused(values: dict) -> None:
    with pytest.raises(GansmithError, match="expected"):
        build(values)


def test_settings_from_the_command_line_nest_and_keep_their_text() -> None:
    found = parse_settings(
        [
            "lr=1e-3",
            "data.fit=pad",
            "data.flip=yes",
            "batch-size = 32",
            "source=a=b",
            "minutes=none",
        ]
    )
    assert found == {
        "lr": "1e-3",
        "data": {"fit": "pad", "flip": "yes"},
        "batch_size": "32",
        "source": "a=b",
        "minutes": None,
    }
    config = merge(Config(minutes=3), found)
    assert (config.lr, config.batch_size, config.data.flip) == (1e-3, 32, True)


def test_augment_is_a_list_and_none_empties_it() -> None:
    assert parse_settings(["augment=flip,affine cutout"]) == {
        "augment": ("flip", "affine", "cutout")
    }
    base = Config(augment=("flip",))
    assert merge(base, parse_settings(["augment=none"])).augment == ()


@pytest.mark.parametrize("setting", ["lr", "=3", "", " = 1"])
def test_a_setting_without_key_or_value_is_refused(setting: str) -> None:
    with pytest.raises(GansmithError, match="key=value"):
        parse_settings([setting])


def test_a_key_can_not_be_a_value_and_a_section() -> None:
    with pytest.raises(GansmithError):
        parse_settings(["data=1", "data.fit=pad"])
    with pytest.raises(GansmithError):
        merge(Config(), parse_settings(["data.fit=pad", "data=1"]))
    with pytest.raises(GansmithError, match=r"lr"):
        merge(Config(), parse_settings(["lr.x.y=1"]))


@pytest.mark.parametrize("limit", ["minutes", "epochs", "images"])
def test_a_new_limit_replaces_the_old(limit: str) -> None:
    for base in (Config(minutes=5), Config(epochs=5), Config(images=5), Config()):
        merged = merge(base, {limit: 2})
        limits = {name: getattr(merged, name) for name in ("minutes", "epochs", "images")}
        assert limits == {"minutes": None, "epochs": None, "images": None, limit: 2}


def test_without_a_new_limit_the_old_one_stays() -> None:
    assert merge(Config(epochs=5), {"lr": 0.1, "minutes": None}).epochs == 5


def test_two_new_limits_are_refused() -> None:
    with pytest.raises(GansmithError, match="not several"):
        merge(Config(), {"minutes": 1, "epochs": 1})


def test_merging_part_of_data_leaves_the_rest_of_it() -> None:
    base = Config(data=DataConfig(fit="pad", channels="grey"))
    merged = merge(base, {"data": {"channels": "colour"}, "lr": 0.5})
    assert merged.data == DataConfig(fit="pad", channels="colour")
    assert merged.lr == 0.5
    assert merge(base, {"data": {}}) == base
    assert base.data.channels == "grey"


def test_with_validates_again_and_leaves_the_original() -> None:
    base = Config()
    assert base.with_(lr=0.5).lr == 0.5
    assert base.lr == 2e-4
    with pytest.raises(GansmithError, match="lr"):
        base.with_(lr=-1)


some_changes = st.fixed_dictionaries(
    {},
    optional={
        "lr": st.floats(1e-300, 1),
        "seed": st.integers(0, 2**63 - 1),
        "size": st.one_of(st.none(), st.from_regex(r"\A[1-9][0-9]{0,3}(x[1-9][0-9]{0,3})?\Z")),
        "minutes": st.floats(1e-9, 1e300),
        "source": st.text(st.characters(exclude_categories=["Cs"])),
        "augment": st.lists(st.sampled_from(["flip", "affine", "cutout"])).map(tuple),
        "loss": st.sampled_from(["hinge", "relativistic", "wasserstein"]),
        "r1": st.floats(0, 1e300),
        "data": st.fixed_dictionaries({}, optional={"max_skipped": st.floats(0, 1)}),
    },
)


@settings(max_examples=50, deadline=None)
@given(some_changes)
def test_json_and_back_gives_the_same_config(changes: dict) -> None:
    config = build(changes)
    assert from_json(config.to_json(), "here") == config


def test_json_holds_every_key() -> None:
    assert set(json.loads(Config().to_json())) == set(Config.model_fields)
    named = {name for name, _, _ in keys()}
    assert named == {k for k in Config.model_fields if k != "data"} | {
        f"data.{k}" for k in DataConfig.model_fields
    }


HOSTILE = [
    "",
    "[]",
    "null",
    "7",
    '"text"',
    "{",
    "{}}",
    "\x00",
    "[" * 100_000,
    '{"a":' * 100_000,
    '{"seed": ' + "9" * 5000 + "}",
    '{"seed": 1e999}',
    '{"lr": NaN}',
    '{"minutes": Infinity}',
    '{"size": {"a": [1, 2]}}',
    '{"augment": [[[]]]}',
    '{"augment": "flip"}',
    '{"data": [1]}',
    '{"data": null}',
    '{"__class__": "os.system"}',
    '{"model": "__import__"}',
    '{"recipe": 5, "seed": "x", "data": {"fit": {}}}',
    '{"generator_filters": 1.5}',
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:20])
def test_hostile_json_is_one_clear_error(text: str) -> None:
    with pytest.raises(GansmithError):
        from_json(text, "config.json")


def test_deep_json_of_any_depth_is_an_error_and_no_crash() -> None:
    for depth in [*range(100, 3000, 97), 10_000]:
        with pytest.raises(GansmithError):
            from_json('{"augment": ' + "[" * depth + "]" * depth + "}", "config.json")


def test_an_error_does_not_repeat_a_huge_value() -> None:
    with pytest.raises(GansmithError) as caught:
        build({"lr": "x" * 1_000_000})
    assert len(str(caught.value)) < 2000


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(
                st.one_of(st.sampled_from([*Config.model_fields, "fit"]), st.text()),
                inner,
                max_size=4,
            ),
        ),
    )
)
def test_any_json_gives_a_config_or_a_gansmith_error(values: object) -> None:
    with contextlib.suppress(GansmithError):
        assert isinstance(from_json(json.dumps(values), "here"), Config)
