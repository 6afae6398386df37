"""What goes wrong with a Wi-Fi box while it is put up, and later."""
from box_guest_kit import BLUE, DARK, GREEN, ORANGE, PATIENCE
from box_story_kit import OPENED, fixture_story, fixture_told  # noqa: F401


def is_back_because_of_the_password(network):
    return network["AccessPoint"]["State"] == "on" and "password" in (network["Problem"] or "")


def test_a_wrong_key_brings_the_access_point_back(story):
    """And the settings of before; the phone is told why."""
    story.hold_until(BLUE, DARK)
    story.join_access_point()
    story.save_wifi(story.phone, OPENED, "not the key of it")
    network = story.network_status(story.phone, OPENED, "the access point again", is_back_because_of_the_password,
                                   3 * PATIENCE)
    assert network["Interface"] == "Ethernet" and network["Trial"] is None, network
    story.wait_lit(BLUE, DARK)
    story.save_wifi(story.phone, OPENED, story.home.KEY)
    story.wait_home()
    story.wait_lit(GREEN)


def test_a_router_that_was_off_is_found_again(story):
    story.phone.leave()
    story.home.off()
    story.wait_lit(GREEN, ORANGE, seconds=2 * PATIENCE)
    story.wait_state(story.inside, "127.0.0.1", "no-link")
    story.home.on()
    story.wait_home()
    story.wait_lit(GREEN)
    story.wait_state(story.inside, "127.0.0.1", "connected")
