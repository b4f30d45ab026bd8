//! What the runner of the tests says: how long those go on that could go on for ever, and which
//! decisions are to be had again.

use std::time::Duration;

/// How long each of them goes on, such as `1h`; without it a minute at most.
const LENGTH: &str = "MCP_HUB_TEST_STORM";
/// The seed of a run before.
pub(crate) const SEED: &str = "MCP_HUB_TEST_STORM_SEED";
/// How many seeds are tried on paused time.
const SEEDS: &str = "MCP_HUB_TEST_STORM_SEEDS";

fn setting(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "how tests run is the runner's to say")]
    let said = std::env::var(name);
    said.ok()
}

fn number(name: &str) -> Option<u64> {
    setting(name).map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

pub(crate) fn length() -> Option<Duration> {
    let text = setting(LENGTH)?;
    let length = humantime::parse_duration(&text);
    Some(length.unwrap_or_else(|error| panic!("{LENGTH} is no time such as 1h: {error}")))
}

pub(crate) fn seed() -> Option<u64> {
    number(SEED)
}

pub(crate) fn seeds() -> Option<u64> {
    number(SEEDS)
}
