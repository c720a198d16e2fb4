"""The run-time knobs: where their values come from, and what is refused with which words."""

from typing import Any

import pytest
from pydantic import ValidationError

from nodes.settings import Settings
from nodes.shared.environment import environment_endpoints, environment_model_file
from prompts import PROMPTS


def refusal(**values: Any) -> str:
    with pytest.raises(ValidationError) as error:
        Settings(**values)
    return str(error.value)


def test_no_settings_at_all_work() -> None:
    settings = Settings()
    assert (settings.max_threads, settings.max_parallel, settings.max_rounds, settings.thread_timeout) == (
        16,
        8,
        2,
        300,
    )
    assert settings.base_url is None and settings.temperature is None and settings.max_tokens is None


def test_the_environment_beats_the_default_and_the_caller_beats_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APR_MAX_PARALLEL", "3")
    assert Settings().max_parallel == 3
    assert Settings(max_parallel=5).max_parallel == 5


@pytest.mark.parametrize("name", [name for name in Settings.model_fields if name != "model"])
def test_a_value_that_equals_the_default_still_beats_the_environment(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    default = getattr(Settings(), name)
    other = {"base_url": "http://h/v1", "api_key_env": "KEY", "temperature": "1", "max_tokens": "99"}
    other |= {"baseline": "true", "context_window": "7000", "window_share": "0.5", "prompts": "solve@1"}
    other |= {"split": "always", "scoped": "false", "review": "false", "cache": "true", "oversight": "both"}
    other |= {"top_p": "0.5", "extra_body": '{"top_k": 1}'}
    other |= {"head_start": "off", "share_prefix": "off", "planner": "dspy:x", "stop_when": "agreement"}
    other |= {"prices": '{"openai:x": {"input": 1, "output": 2}}'}
    other |= {"solver": "vote", "tree_tokens": "700"}
    other |= {"grammar": "multiverse", "prompt_template": "Q: {question}"}
    other |= dict.fromkeys(("max_total_tokens", "tokens_per_minute"), "7000")
    other |= {at: "http://h/v1" for at in Settings.model_fields if at.endswith("_base_url")}
    other |= {by: "KEY" for by in Settings.model_fields if by.endswith("_api_key_env")}
    other |= {effort: "low" for effort in Settings.model_fields if effort.endswith("_effort")}
    monkeypatch.setenv(f"APR_{name.upper()}", other.get(name, "openai:x" if name.endswith("model") else "7"))
    assert getattr(Settings(), name) != default
    assert getattr(Settings(**{name: default}), name) == default


def test_blank_variables_count_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("APR_MAX_PARALLEL", "APR_MODEL", "APR_BASE_URL", "APR_LOCAL_GGUF"):
        monkeypatch.setenv(name, "")
    assert (Settings().max_parallel, Settings().model, Settings().base_url) == (8, "local", None)
    assert environment_model_file() is None


def test_a_wrong_value_in_the_environment_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APR_MAX_PARALLEL", "many")
    assert "max_parallel" in refusal() and "many" in refusal()


def test_variables_that_are_no_settings_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APR_LOCAL_GGUF", "~/m.gguf")
    monkeypatch.setenv("APR_SOMETHING", "else")
    assert Settings().model == "local"
    assert str(environment_model_file()).endswith("/m.gguf") and "~" not in str(environment_model_file())


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("APR_MAX_THREAD", "APR_MAX_THREADS"), ("apr_base_ur", "APR_BASE_URL"), ("APR_TOKEN", "APR_TOKENS")],
)
def test_a_slip_in_the_environment_is_told_with_the_right_name(
    monkeypatch: pytest.MonkeyPatch, wrong: str, right: str
) -> None:
    monkeypatch.setenv(wrong, "3")
    assert f"`{wrong}` is none of our variables, did you mean `{right}`?" in refusal()


@pytest.mark.parametrize(
    ("wrong", "right"), [("max_thread", "max_threads"), ("Model", "model"), ("baseurl", "base_url")]
)
def test_a_slip_is_told_with_the_right_name(wrong: str, right: str) -> None:
    assert f"did you mean `{right}`?" in refusal(**{wrong: 3})


@pytest.mark.parametrize("name", ["max_threds", "MODEL", "_env_file", "_cli_parse_args", "model_config", "a b", ""])
def test_an_unknown_name_is_refused_with_the_names_there_are(name: str) -> None:
    said = refusal(**{name: "x"})
    assert f"unknown setting `{name}`; allowed are" in said
    assert all(known in said for known in Settings.model_fields)


@pytest.mark.parametrize(
    ("name", "least", "most", "below", "above"),
    [
        ("max_threads", 2, 64, 1, 65),
        ("max_parallel", 1, 64, 0, 65),
        ("max_rounds", 0, 10, -1, 11),
        ("thread_timeout", 0.001, 86_400, 0, 86_401),
        ("request_timeout", 0.001, 86_400, 0, float("inf")),
        ("temperature", 0, 2, -0.1, 2.1),
        ("max_tokens", 16, 1_000_000, 15, 1_000_001),
    ],
)
def test_every_bound_holds_and_is_said(name: str, least: float, most: float, below: float, above: float) -> None:
    for sound in (least, most):
        assert getattr(Settings(**{name: sound}), name) == sound
    for wrong, word in ((below, "greater than"), (above, "less than or equal to")):
        said = refusal(**{name: wrong})
        assert name in said and word in said and f"input_value={wrong}" in said
    assert name in refusal(**{name: float("nan")}) and name in refusal(**{name: "much"})


@pytest.mark.parametrize("model", ["local", "openai:gpt-5-mini", "openai:org/model:tag", "deepseek:deepseek-reasoner"])
@pytest.mark.parametrize("name", ["model", "assess_model", "decompose_model", "solve_model", "review_model"])
def test_models_are_named_by_provider(name: str, model: str) -> None:
    assert getattr(Settings(**{name: model}), name) == model


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("gpt-5", "`gpt-5` names no provider"),
        ("", "`` names no provider"),
        ("openai:", "`openai:` names no model of `openai`"),
        ("openai: ", "names no model of `openai`"),
        ("deepseek:", "names no model of `deepseek`"),
        ("nobody:x", "unknown provider `nobody`"),
        ("OpenAI:x", "unknown provider `OpenAI`"),
        (":x", "unknown provider ``"),
        ("local:x", "`local:x` is not"),
    ],
)
@pytest.mark.parametrize("name", ["model", "review_model"])
def test_a_wrong_model_is_refused_with_the_forms_there_are(name: str, model: str, problem: str) -> None:
    said = refusal(**{name: model})
    assert name in said and problem in said
    assert all(form in said for form in ("openai:NAME", "deepseek:NAME", "local (the embedded model)"))


def test_a_prompt_that_is_not_there_is_refused() -> None:
    assess, solve = (PROMPTS[name].standard.label for name in ("assess", "solve"))
    assert Settings(prompts=f"{assess}, {solve}").prompts == f"{assess}, {solve}"
    said = refusal(prompts="assess@99")
    assert "there is no prompt `assess@99`; there are " in said and assess in said and solve in said


@pytest.mark.parametrize(
    ("given", "kept"),
    [("off", "off"), ("brief", "brief"), ("careful", "careful"), (True, "brief"), (False, "off")]
    + [("True", "brief"), ("false", "off")],
)
def test_how_results_are_judged_was_a_switch_and_is_read_as_one(
    monkeypatch: pytest.MonkeyPatch, given: Any, kept: str
) -> None:
    values: dict[str, Any] = {"review": given}
    assert Settings(**values).review == kept
    monkeypatch.setenv("APR_REVIEW", str(given))
    assert Settings().review == kept


@pytest.mark.parametrize("wrong", ["on", "2", "", "thorough", None])
def test_another_way_to_judge_results_is_refused_with_those_there_are(wrong: Any) -> None:
    said = refusal(review=wrong)
    assert "review" in said and all(f"'{way}'" in said for way in ("off", "brief", "careful"))


def test_a_role_uses_its_own_model_if_it_has_one() -> None:
    settings = Settings(model="openai:a", solve_model="deepseek:b")
    assert [settings.model_for(role) for role in ("assess", "decompose", "solve", "review")] == [
        "openai:a",
        "openai:a",
        "deepseek:b",
        "openai:a",
    ]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1"),
        ("https://api.example.com", "https://api.example.com"),
        ("http://[::1]:80/v1", "http://[::1]:80/v1"),
        (" http://h/v1\n", "http://h/v1"),
    ],
)
def test_a_base_url_is_an_http_address(given: str, kept: str) -> None:
    assert Settings(base_url=given).base_url == kept


@pytest.mark.parametrize(
    "wrong", ["", "127.0.0.1:8000", "localhost", "ftp://h/v1", "http://", "http://[::1", "http://h:x", "http://h:99999"]
)
def test_what_is_no_http_address_is_refused_with_an_example(wrong: str) -> None:
    said = refusal(base_url=wrong)
    assert f"`{wrong}` is not an address such as http://127.0.0.1:8000/v1" in said and "base_url" in said


@pytest.mark.parametrize("secret", ["http://me:hush@h/v1", "http://me@h/v1", "me:hush@h", "https://me:hush@[h/v1"])
def test_an_address_with_a_password_is_refused_without_showing_it(secret: str) -> None:
    assert "base_url" in refusal(base_url=secret) and "hush" not in refusal(base_url=secret)


@pytest.mark.parametrize("odd", ["\r\nX: y", "\0", "\x7f", " b", "\u2028", "\x85"])
def test_an_address_with_control_characters_is_refused(odd: str) -> None:
    assert "spaces or control characters" in refusal(base_url=f"http://h{odd}/v1")


@pytest.mark.parametrize("name", ["APR_TOKENS", "apr_x", "LANGSMITH_API_KEY", "LANGCHAIN_API_KEY"])
def test_our_own_secrets_are_no_keys(name: str) -> None:
    assert "never hold the key of a model server" in refusal(api_key_env=name)


@pytest.mark.parametrize(
    ("text", "said"),
    [("nowhere=KEY", "entry 1"), ("http://h/v1=KEY http://h/v2=A-B", "entry 2"), ("http://h/v1=APR_TOKENS", "entry 1")],
)
def test_endpoints_that_are_none_are_refused(monkeypatch: pytest.MonkeyPatch, text: str, said: str) -> None:
    monkeypatch.setenv("APR_ALLOW_ENDPOINTS", text)
    with pytest.raises(ValueError, match=f"APR_ALLOW_ENDPOINTS: {said}"):
        environment_endpoints()


@pytest.mark.parametrize("wrong", ["", "sk-123", "A B", "1A", "A=B"])
def test_the_key_variable_is_a_name(wrong: str) -> None:
    assert "api_key_env" in refusal(api_key_env=wrong)


@pytest.mark.parametrize(
    ("environment", "model"),
    [
        ({}, "local"),
        ({"OPENAI_API_KEY": "k"}, "openai:gpt-5-mini"),
        ({"OPENAI_BASE_URL": "http://h/v1"}, "openai:gpt-5-mini"),
        ({"OPENAI_API_KEY": " ", "OPENAI_BASE_URL": ""}, "local"),
        ({"DEEPSEEK_API_KEY": "k"}, "local"),
        ({"OPENAI_API_KEY": "k", "APR_MODEL": "deepseek:x"}, "deepseek:x"),
        ({"OPENAI_API_KEY": "k", "APR_MODEL": "local"}, "local"),
    ],
)
def test_the_default_model_is_the_one_that_is_set_up(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], model: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Settings().model == model
    assert Settings(model="openai:mine").model == "openai:mine"


def test_settings_cannot_be_changed_under_a_run() -> None:
    settings: Any = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.max_parallel = 1
