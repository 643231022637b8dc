"""Which release is next."""

from collections.abc import Sequence
from typing import cast

import pytest

from orchestrator.core.errors import OrchestratorError, PlatformError, RefusedError, ReleaseError
from orchestrator.core.model.images import RemoteImage
from orchestrator.core.model.releases import Release
from orchestrator.core.model.workloads import ServiceStatus
from orchestrator.core.ports.images import Images as ImagesPort
from orchestrator.core.ports.release_finder import ReleaseRequest
from orchestrator.core.ports.workloads import Workloads
from orchestrator.releases.choosing import choose_release, newest_release
from orchestrator.releases.finder import PublishedReleaseFinder
from orchestrator.releases.version_order import is_comparable
from tests.tools.build import RECOVERY

DIGEST = "sha256:" + "a" * 64
OLD_DIGEST = "sha256:" + "b" * 64


def published(*versions: str) -> tuple[Release, ...]:
    return tuple(Release(version=version) for version in versions)


def code_of(caught: pytest.ExceptionInfo[OrchestratorError]) -> str:
    return caught.value.code


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("1.9.0", "1.10.0"),
        ("v1.9.0", "1.10.0"),
        ("1.9.0", "v1.10.0"),
        ("1", "1.0.1"),
        ("1.2", "v1.2.1"),
        ("1.0.0-alpha", "1.0.0-beta"),
        ("1.0.0-rc.9", "1.0.0-rc.10"),
        ("1.0.0-rc9", "1.0.0-rc10"),
        ("1.0.0-rc09", "1.0.0-rc10"),
        ("1.0.0-rc", "1.0.0-rc1"),
        ("1.0.0-rc10", "1.0.0"),
        ("2024.05.01", "2024.10.1"),
        ("2024.5.1", "2024.05.02"),
        ("2024.09", "2024.10"),
        ("24.04.1", "24.10.0"),
        ("0.9.9", "2024.01.01"),
    ],
)
def test_versions_are_ordered_as_people_mean_them(lower: str, higher: str) -> None:
    request = ReleaseRequest(prerelease=True)
    assert choose_release(lower, published(higher), request) is not None
    assert choose_release(higher, published(lower), request) is None


@pytest.mark.parametrize("same", ["1.2.0", "v1.2.0", "1.2", "1.2.0+build.7"])
def test_another_spelling_of_the_running_version_is_no_upgrade(same: str) -> None:
    assert choose_release("v1.2.0", published(same), ReleaseRequest()) is None


@pytest.mark.parametrize("text", ["latest", "main", "1.02.3", "1.2.3.4", "", "v", "vv1.2.3", "sha-1234", "١.٢.٣"])
def test_what_has_no_order_is_not_comparable(text: str) -> None:
    assert not is_comparable(text)


def test_what_has_no_order_is_never_offered() -> None:
    assert choose_release("1.0.0", published("nightly", "2-weeks.old.02"), ReleaseRequest()) is None


def test_a_running_version_without_an_order_is_an_error() -> None:
    with pytest.raises(ReleaseError) as caught:
        choose_release("dev", published("1.0.0"), ReleaseRequest())
    assert code_of(caught) == "releases.current_unknown"


def test_the_highest_is_chosen_whatever_the_order_of_the_list() -> None:
    chosen = choose_release("1.0.0", published("1.9.0", "v1.10.0", "1.2.0"), ReleaseRequest())
    assert chosen == Release(version="v1.10.0")


def test_of_two_spellings_the_complete_one_is_chosen() -> None:
    assert newest_release(published("1.2.0", "1.2", "1")) == Release(version="1.2.0")


def test_without_releases_the_app_is_up_to_date() -> None:
    assert choose_release("1.0.0", (), ReleaseRequest()) is None


def test_pre_releases_are_offered_only_when_asked_for() -> None:
    releases = (Release(version="1.1.0-rc.1"), Release(version="1.2.0", prerelease=True))
    assert choose_release("1.0.0", releases, ReleaseRequest()) is None
    assert choose_release("1.0.0", releases, ReleaseRequest(prerelease=True)) == releases[1]


def test_drafts_are_never_offered() -> None:
    draft = Release(version="2.0.0", draft=True)
    assert choose_release("1.0.0", (draft,), ReleaseRequest(prerelease=True)) is None
    with pytest.raises(ReleaseError) as caught:
        choose_release("1.0.0", (draft,), ReleaseRequest(version="2.0.0"))
    assert code_of(caught) == "releases.not_found"


@pytest.mark.parametrize("asked", ["1.1.0", "v1.1.0"])
@pytest.mark.parametrize("name", ["1.1.0", "v1.1.0"])
def test_a_requested_version_is_found_with_and_without_v(asked: str, name: str) -> None:
    chosen = choose_release("1.0.0", published(name, "1.2.0"), ReleaseRequest(version=asked))
    assert chosen == Release(version=name)


def test_a_pre_release_that_is_named_is_asked_for() -> None:
    chosen = choose_release("1.0.0", published("1.1.0-rc.1"), ReleaseRequest(version="1.1.0-rc.1"))
    assert chosen == Release(version="1.1.0-rc.1")


def test_an_unpublished_version_is_refused_with_the_closest_names() -> None:
    with pytest.raises(ReleaseError) as caught:
        choose_release("1.0.0", published("v1.1.0", "v2.0.0"), ReleaseRequest(version="v1.1.1"))
    assert code_of(caught) == "releases.not_found"
    assert "v1.1.0" in caught.value.hint


def test_the_running_version_as_requested_is_up_to_date() -> None:
    assert choose_release("v1.1.0", published("1.1.0"), ReleaseRequest(version="1.1.0")) is None


def test_an_older_version_needs_leave() -> None:
    releases = published("1.0.0", "1.1.0")
    with pytest.raises(ReleaseError) as caught:
        choose_release("1.1.0", releases, ReleaseRequest(version="1.0.0"))
    assert code_of(caught) == "releases.downgrade"
    allowed = ReleaseRequest(version="1.0.0", allow_downgrade=True)
    assert choose_release("1.1.0", releases, allowed) == releases[0]


def test_a_requested_version_without_an_order_is_refused() -> None:
    with pytest.raises(ReleaseError) as caught:
        choose_release("1.0.0", published("nightly"), ReleaseRequest(version="nightly"))
    assert code_of(caught) == "releases.not_comparable"


class Feed:
    def __init__(self, *releases: Release) -> None:
        self.releases = releases

    def list_releases(self) -> tuple[Release, ...]:
        return self.releases


class Images:
    """A registry with these tags; without any named, with every one."""

    def __init__(self, *tags: str) -> None:
        self.tags = tags
        self.asked: list[tuple[str, str]] = []

    def resolve(self, repository: str, tag: str) -> RemoteImage:
        self.asked.append((repository, tag))
        if self.tags and tag not in self.tags:
            raise PlatformError("image.not_found", f"The registry has no image {repository}:{tag}.")
        return RemoteImage(digest=DIGEST, platforms=("linux/amd64",))


class Containers:
    def __init__(self, *statuses: ServiceStatus, other_name: str = "") -> None:
        self.statuses = statuses
        self.other_name = other_name

    def check_name(self, services: Sequence[str]) -> None:
        if self.other_name:
            raise RefusedError("refused.other_name", f"{services} run as {self.other_name}.")

    def inspect_services(self, services: Sequence[str]) -> tuple[ServiceStatus, ...]:
        return tuple(status for status in self.statuses if status.service in services)


APP = ServiceStatus(
    service="app",
    container_id="c1",
    image_id="sha256:1",
    image_reference="ghcr.io:443/org/app:v1.0.0@" + OLD_DIGEST,
    digests=(OLD_DIGEST,),
    state="running",
    health="healthy",
)


def finder(
    *statuses: ServiceStatus, releases: Sequence[Release] = (), images: Images | None = None
) -> PublishedReleaseFinder:
    platform = cast("Workloads", Containers(*statuses))
    services = tuple(dict.fromkeys(status.service for status in statuses)) or ("app",)
    found = cast("ImagesPort", images or Images())
    return PublishedReleaseFinder(Feed(*releases), platform, found, RECOVERY, services, "ghcr.io/org/app")


def test_the_running_version_is_the_tag_of_its_image() -> None:
    current = finder(APP.model_copy(update={"version_label": "9.9.9"})).running()
    assert (current.version, current.image_id, current.digest) == ("v1.0.0", "sha256:1", OLD_DIGEST)
    assert current.healthy


@pytest.mark.parametrize("reference", ["org/app:latest", "org/app", "localhost:5000/app", "sha256:" + "1" * 64])
def test_where_the_tag_says_nothing_the_label_counts(reference: str) -> None:
    status = APP.model_copy(update={"image_reference": reference, "version_label": "1.4.2"})
    assert finder(status).running().version == "1.4.2"


def test_a_version_that_nobody_tells_is_an_error() -> None:
    status = APP.model_copy(update={"image_reference": "app:latest", "version_label": "dev"})
    with pytest.raises(ReleaseError) as caught:
        finder(status).running()
    assert code_of(caught) == "releases.current_unknown"


def test_an_image_with_two_digests_has_none_for_sure() -> None:
    assert finder(APP.model_copy(update={"digests": (DIGEST, OLD_DIGEST)})).running().digest is None


def test_an_unhealthy_container_makes_the_app_unhealthy() -> None:
    assert not finder(APP.model_copy(update={"health": "unhealthy"})).running().healthy


def test_an_app_that_is_down_is_refused() -> None:
    for statuses in ((), (APP.model_copy(update={"state": "exited"}),)):
        with pytest.raises(RefusedError) as caught:
            finder(*statuses).running()
        assert code_of(caught) == "refused.not_running"


def test_an_app_that_runs_under_another_project_name_is_not_told_to_be_started() -> None:
    platform = cast("Workloads", Containers(other_name="other"))
    with pytest.raises(RefusedError, match="other") as caught:
        PublishedReleaseFinder(
            Feed(), platform, cast("ImagesPort", Images()), RECOVERY, ("app",), "ghcr.io/org/app"
        ).running()
    assert code_of(caught) == "refused.other_name"


def test_a_single_service_that_is_down_is_named() -> None:
    worker = APP.model_copy(update={"service": "worker", "state": "exited"})
    with pytest.raises(RefusedError, match="worker"):
        finder(APP, worker).running()


@pytest.mark.parametrize("other", [{"image_reference": "app:v1.1.0"}, {"image_id": "sha256:2"}])
def test_services_at_different_images_are_refused(other: dict[str, str]) -> None:
    with pytest.raises(RefusedError) as caught:
        finder(APP, APP.model_copy(update={"service": "worker", **other})).running()
    assert code_of(caught) == "refused.mixed_versions"


def test_the_target_is_pinned_by_the_digest_of_its_tag() -> None:
    images = Images()
    choice = finder(APP, releases=published("v1.1.0"), images=images).find(ReleaseRequest())
    assert choice.newer
    assert choice.target is not None
    assert str(choice.target.pin) == f"v1.1.0@{DIGEST}"
    assert not choice.target.downgrade
    assert images.asked == [("ghcr.io/org/app", "v1.1.0")]


def test_the_registry_is_not_asked_when_up_to_date() -> None:
    images = Images()
    choice = finder(APP, releases=published("v1.0.0"), images=images).find(ReleaseRequest())
    assert (choice.newer, choice.target, images.asked) == (False, None, [])
    assert choice.newest == Release(version="v1.0.0")


def test_a_downgrade_is_marked_as_one() -> None:
    request = ReleaseRequest(version="v0.9.0", allow_downgrade=True)
    target = finder(APP, releases=published("v0.9.0")).find(request).target
    assert target is not None
    assert target.downgrade


@pytest.mark.parametrize(
    ("announced", "running", "published_as"),
    [
        ("v2.0.0", "1.0.0", "2.0.0"),
        ("2.0.0", "v1.0.0", "v2.0.0"),
        ("v2.0.0", "v1.0.0", "2.0.0"),
        ("2.0.0", "1.0.0", "v2.0.0"),
        ("v2.0.0-rc.1", "1.0.0", "2.0.0-rc.1"),
    ],
)
def test_the_image_of_a_release_is_found_with_and_without_its_v(
    announced: str, running: str, published_as: str
) -> None:
    images = Images(published_as)
    status = APP.model_copy(update={"image_reference": f"ghcr.io/org/app:{running}"})
    request = ReleaseRequest(prerelease=True)
    target = finder(status, releases=published(announced), images=images).find(request).target
    assert target is not None
    assert (target.release.version, str(target.pin)) == (announced, f"{published_as}@{DIGEST}")


def test_the_way_in_which_the_running_tag_is_written_is_asked_for_first() -> None:
    images = Images("2.0.0", "v2.0.0")
    status = APP.model_copy(update={"image_reference": "ghcr.io/org/app:1.0.0"})
    finder(status, releases=published("v2.0.0"), images=images).find(ReleaseRequest())
    assert images.asked == [("ghcr.io/org/app", "2.0.0")]


def test_a_release_whose_image_is_not_there_yet_leaves_the_one_before_it_on_offer() -> None:
    choice = finder(APP, releases=published("v1.3.0", "v1.2.0", "v1.1.0"), images=Images("v1.1.0", "v1.2.0")).find(
        ReleaseRequest()
    )
    assert choice.target is not None
    assert (choice.target.release.version, choice.without_image) == ("v1.2.0", ("v1.3.0",))


@pytest.mark.parametrize("version", [None, "v1.3.0"])
def test_where_no_newer_release_has_an_image_it_is_said_under_which_names_it_was_looked_for(
    version: str | None,
) -> None:
    with pytest.raises(PlatformError) as caught:
        finder(APP, releases=published("v1.3.0"), images=Images("v1.0.0")).find(ReleaseRequest(version=version))
    assert code_of(caught) == "image.not_found"
    assert "v1.3.0 or 1.3.0" in str(caught.value)


def test_a_release_that_is_asked_for_is_never_replaced_by_an_older_one() -> None:
    images = Images("v1.2.0")
    with pytest.raises(PlatformError):
        finder(APP, releases=published("v1.3.0", "v1.2.0"), images=images).find(ReleaseRequest(version="v1.3.0"))


def test_a_registry_that_cannot_be_asked_is_no_missing_image() -> None:
    class Away(Images):
        def resolve(self, repository: str, tag: str) -> RemoteImage:
            raise PlatformError("image.unreachable", "The registry does not answer.")

    with pytest.raises(PlatformError) as caught:
        finder(APP, releases=published("v1.3.0", "v1.2.0"), images=Away()).find(ReleaseRequest())
    assert code_of(caught) == "image.unreachable"


def test_a_registry_without_any_of_many_releases_is_asked_a_few_times_only() -> None:
    images = Images("v1.0.0")
    with pytest.raises(PlatformError):
        finder(APP, releases=published(*(f"v1.{minor}.0" for minor in range(1, 60))), images=images).find(
            ReleaseRequest()
        )
    assert len(images.asked) <= 10


def test_services_of_different_images_are_told_from_services_at_different_versions() -> None:
    worker = APP.model_copy(
        update={"service": "worker", "image_reference": "ghcr.io/org/worker:v1.0.0", "image_id": "sha256:2"}
    )
    with pytest.raises(RefusedError, match="worker runs ghcr") as caught:
        finder(APP, worker).running()
    assert code_of(caught) == "refused.several_images"
