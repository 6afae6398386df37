"""Fixtures of the system tests: each makes things, and ends them after the test."""
import pytest

import bad_inputs
import harness


def pytest_configure(config):
    config.addinivalue_line("markers", "bad_input(group, *names): cases of tests/bad_inputs.csv that this shows")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.skipped or call.when == "call" and report.passed:
        bad_inputs.write_down(item, report.outcome)


@pytest.fixture
def gateway(tmp_path):
    """gateway(METER_URL, OPTION...): starts one; all must end cleanly after the test."""
    started = []

    def start(meter, *options, **how):
        started.append(harness.Gateway(tmp_path, meter, *options, **how))
        return started[-1]
    yield start
    for one in started:
        if one.running():
            one.stop()
        else:
            assert not harness.SANITIZER_COMPLAINT.search(one.stderr()), one.stderr()


@pytest.fixture
def fixed(gateway, tmp_path):
    """fixed(TELEGRAM, OPTION...): a gateway that has got this telegram, and keeps it."""
    def start(telegram, *options, **how):
        path = tmp_path / "telegram.txt"
        path.write_bytes(telegram)
        one = gateway(f"file:{path}?speed=max", "--stale-after", "3600", *options, **how)
        return one.wait_served()
    return start


@pytest.fixture
def tcp_meter():
    meter = harness.TcpMeter()
    yield meter
    meter.close()


@pytest.fixture
def pty_meter(tmp_path):
    meter = harness.PtyMeter(tmp_path)
    yield meter
    meter.close()


@pytest.fixture
def broker(tmp_path):
    """broker(SETTING...): starts a broker."""
    started = []

    def start(*settings):
        started.append(harness.Broker(tmp_path, *settings))
        return started[-1]
    yield start
    for one in started:
        one.stop()


@pytest.fixture
def subscriber():
    """subscriber(BROKER): collects what is published."""
    made = []

    def make(broker, at=None, **how):
        made.append(harness.Subscriber(at or broker.port, **how))
        return made[-1]
    yield make
    for one in made:
        one.close()
