"""What is kept, what is in the way, and what is made together.

a@1 ══ a@2
 └── b ──┬── c ──┐
         └── d ──┴── e
"""

import pytest

from mgit.cascade import Action, Obstacle, Opaque
from mgit.errors import UsageError
from tests.cascade.families import MANUAL, UNTRUSTED, family

FAMILY = family(
    "a@1", "a@2", "b@1 <- a@1", "c@1 <- b@1", "d@1 <- b@1", "e@1 <- left=c@1, right=d@1"
)


# --- keeping ---


def test_what_is_skipped_keeps_its_version_and_so_does_what_depends_on_nothing_else() -> None:
    assert FAMILY.read(FAMILY.plan(skip="b")) == {"b@1": "skip: a@1"}


def test_below_a_skipped_model_another_path_goes_on() -> None:
    plan = FAMILY.plan(skip="c")

    assert FAMILY.read(plan) == {
        "b@1": "build: a@2",
        "c@1": "skip: b@1",
        "d@1": "build: new b@1",
        "e@1": "build: left=c@1, right=new d@1",
    }
    skipped = plan.by_node[FAMILY.id("c")]
    assert (skipped.reason, skipped.after) == ("new b", ())


@pytest.mark.parametrize("choice", ["stop", "pinned"])
def test_below_a_stopped_model_another_path_goes_on(choice: str) -> None:
    plan = FAMILY.plan(None, **{choice: "c"})

    assert FAMILY.read(plan) == {
        "b@1": "build: a@2",
        "c@1": f"{choice}: b@1",
        "d@1": "build: new b@1",
        "e@1": "build: left=c@1, right=new d@1",
    }


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("skip", {"b@2": "skip: a@1", "stale@1": "build: b@2"}),
        ("stop", {"b@2": "stop: a@1"}),
        ("pinned", {"b@2": "pinned: a@1"}),
    ],
)
def test_a_child_of_an_older_version_moves_to_a_skipped_model_and_not_to_a_stopped_one(
    choice: str, expected: dict[str, str]
) -> None:
    drawn = family("a@1", "a@2", "b@1 <- a@1", "b@2 <- a@1", "stale@1 <- b@1", "fresh@1 <- b@2")

    assert drawn.read(drawn.plan(None, **{choice: "b"})) == expected
    assert drawn.read(drawn.plan(None, chosen="a", **{choice: "b"})) == expected


def test_an_update_to_a_stopped_model_changes_nothing() -> None:
    assert FAMILY.plan(stop="a").steps == ()
    assert FAMILY.plan(skip="a").steps == FAMILY.plan().steps


def test_the_latest_parents_are_not_taken_of_what_is_stopped() -> None:
    drawn = family("a@1", "a@2", "b@1", "b@2", "ab@1 <- left=a@1, right=b@1")

    plan = drawn.plan(chosen="a", takes_latest=True, stop="b")

    assert drawn.read(plan) == {"ab@1": "build: left=a@2, right=b@1"}


def test_what_would_not_have_been_affected_is_not_in_the_plan_for_being_kept() -> None:
    drawn = family("a@1", "a@2", "b@1 <- a@1", "other@1")

    assert drawn.read(drawn.plan(stop="other", skip="other")) == {"b@1": "build: a@2"}


def test_nothing_is_made_for_the_sake_of_what_is_kept() -> None:
    drawn = family("a@1", "a@2", "mid@1 <- a@1", "low@1 <- mid@1", nameless="mid")

    plan = drawn.plan(skip="low")

    assert drawn.read(plan) == {"low@1": "skip: mid@1"}
    assert plan.steps[0].reason == "new mid@1"


def test_stopping_goes_before_pinning_and_that_before_skipping() -> None:
    assert FAMILY.read(FAMILY.plan(stop="b", pinned="b", skip="b")) == {"b@1": "stop: a@1"}
    assert FAMILY.read(FAMILY.plan(pinned="b", skip="b")) == {"b@1": "pinned: a@1"}


# --- obstacles ---


def test_an_obstacle_blocks_what_is_below_it_and_nothing_beside_it() -> None:
    plan = FAMILY.plan(obstacles={"c": UNTRUSTED})

    assert FAMILY.read(plan) == {
        "b@1": "build: a@2",
        "c@1": "untrusted: new b@1",
        "d@1": "build: new b@1",
        "e@1": "blocked: left=new c@1, right=new d@1",
    }
    blocked, obstacle = plan.by_node[FAMILY.id("e")], plan.by_node[FAMILY.id("c")]
    assert obstacle.reason == "nobody trusts train.py"
    assert blocked.reason == "blocked by c"
    assert FAMILY.labels(blocked.blocked_by) == {"c@1"}
    assert obstacle.blocked_by == ()


def test_what_is_blocked_names_the_obstacle_and_not_what_it_blocks_on_the_way() -> None:
    drawn = family("a@1", "a@2", "b@1 <- a@1", "c@1 <- b@1", "d@1 <- c@1")

    plan = drawn.plan(obstacles={"b": Obstacle(Action.ABSENT, "its data is not here")})

    assert drawn.read(plan) == {
        "b@1": "absent: a@2",
        "c@1": "blocked: new b@1",
        "d@1": "blocked: new c@1",
    }
    assert [step.reason for step in plan.steps] == [
        "its data is not here",
        "blocked by b",
        "blocked by b",
    ]


def test_two_obstacles_are_both_named() -> None:
    plan = FAMILY.plan(obstacles={"c": UNTRUSTED, "d": MANUAL})

    assert plan.by_node[FAMILY.id("e")].reason == "blocked by c, d"


def test_an_obstacle_that_is_not_affected_is_in_nobodys_way() -> None:
    drawn = family("a@1", "a@2", "b@1", "c@1 <- left=a@1, right=b@1")

    assert drawn.read(drawn.plan(obstacles={"b": MANUAL, "a": MANUAL})) == {
        "c@1": "build: left=a@2, right=b@1"
    }


def test_what_has_no_recipe_can_be_kept_as_if_it_was_skipped() -> None:
    plan = FAMILY.plan(obstacles={"c": MANUAL, "d": UNTRUSTED}, opaque=Opaque.KEEP)

    assert FAMILY.read(plan) == {
        "b@1": "build: a@2",
        "c@1": "skip: b@1",
        "d@1": "untrusted: new b@1",
        "e@1": "blocked: left=c@1, right=new d@1",
    }
    assert plan.by_node[FAMILY.id("c")].reason == "it has no recipe"


def test_a_skipped_obstacle_is_none_and_says_what_it_misses() -> None:
    plan = FAMILY.plan(obstacles={"b": MANUAL}, skip="b")

    assert FAMILY.read(plan) == {"b@1": "skip: a@1"}
    assert plan.steps[0].reason == "a@1 -> a"


@pytest.mark.parametrize("action", [Action.BUILD, Action.SKIP, Action.BLOCKED])
def test_only_some_actions_are_obstacles(action: Action) -> None:
    with pytest.raises(ValueError, match=action.value):
        Obstacle(action, "")


# --- groups ---


TRAINED = family(  # two heads trained together on two data models, and something below each
    *("x@1", "x@2", "y@1", "y@2"),
    *("ner@1 <- left=x@1, right=y@1", "qa@1 <- left=x@1, right=y@1"),
    *("low-ner@1 <- ner@1", "low-qa@1 <- qa@1"),
)


@pytest.mark.parametrize("timed", ["ner", "qa"])
def test_a_group_is_made_together_once_even_if_only_one_member_is_affected(timed: str) -> None:
    drawn = family("x@1", "x@2", "other@1", "ner@1 <- other@1", "qa@1 <- x@1", "low@1 <- ner@1")

    plan = drawn.plan(groups=["ner qa"], estimates={timed: 9.0})

    assert drawn.read(plan) == {
        "ner@1": "build: other@1",
        "qa@1": "build: x@2",
        "low@1": "build: new ner@1",
    }
    ner, qa, low = plan.steps
    assert ner.group == qa.group == tuple(sorted(drawn.some("ner qa")))
    assert plan.units == (ner.group, low.group)
    assert (ner.reason, qa.reason) == ("made together with qa", "x@1 -> x")
    assert ner.estimate_s == qa.estimate_s == 9.0
    assert drawn.labels(low.after) == {"ner@1", "qa@1"}


def test_the_members_of_a_group_stand_together_in_the_order() -> None:
    plan = TRAINED.plan(groups=["ner qa"])

    assert TRAINED.order(plan) == ["ner@1", "qa@1", "low-ner@1", "low-qa@1"]


@pytest.mark.parametrize("choice", ["skip", "stop", "pinned"])
def test_if_one_member_is_kept_all_are(choice: str) -> None:
    plan = TRAINED.plan(None, groups=["ner qa"], **{choice: "qa"})

    assert TRAINED.read(plan) == {
        "ner@1": f"{choice}: left=x@1, right=y@1",
        "qa@1": f"{choice}: left=x@1, right=y@1",
    }


def test_if_one_member_has_an_obstacle_all_have() -> None:
    plan = TRAINED.plan(groups=["ner qa"], obstacles={"qa": UNTRUSTED})

    assert TRAINED.read(plan) == {
        "ner@1": "untrusted: left=x@2, right=y@2",
        "qa@1": "untrusted: left=x@2, right=y@2",
        "low-ner@1": "blocked: new ner@1",
        "low-qa@1": "blocked: new qa@1",
    }


def test_a_group_is_not_made_from_what_is_below_any_of_its_members() -> None:
    #   x@1 ──┬── ner                     ner and qa are made together
    #         └── qa ── x@2
    drawn = family("x@1", "ner@1 <- x@1", "qa@1 <- x@1", "x@2 <- qa@1")

    assert drawn.read(drawn.plan()) == {"ner@1": "build: x@2"}
    assert drawn.plan(groups=["ner qa"]).steps == ()


def test_a_group_that_needs_itself_is_refused() -> None:
    #   x@1 ── ner ── mid ── qa           ner and qa are said to be made together
    drawn = family("x@1", "x@2", "ner@1 <- x@1", "mid@1 <- ner@1", "qa@1 <- mid@1")

    with pytest.raises(UsageError, match=r"ner \+ qa") as caught:
        drawn.plan(groups=["ner qa"])
    assert "--skip or --stop" in caught.value.hint


def test_a_group_of_which_one_member_is_made_from_another_is_refused() -> None:
    drawn = family("x@1", "x@2", "ner@1 <- x@1", "qa@1 <- ner@1")

    with pytest.raises(UsageError, match=r"ner \+ qa are made together") as caught:
        drawn.plan(groups=["ner qa"])
    assert caught.value.hint.endswith("--skip or --stop ner")
