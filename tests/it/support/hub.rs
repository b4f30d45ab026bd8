//! A hub in this process, on a port of its own.

use mcp_hub::{
    app::App,
    auth::{Scope, Signer},
    config::Config,
    hub::Hub,
    model::{clock::UnixTime, id::UserId},
    provider::plugin,
    telemetry::Metrics,
};
use std::{num::NonZeroU32, path::Path, time::Duration};

pub(crate) const SECRET: &str = "a secret of the tests, longer than 32 bytes";

pub(crate) struct TestHub {
    app: App,
    url: String,
}

impl TestHub {
    /// A hub without authentication.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A hub that knows its users by tokens.
    pub(crate) async fn with_users() -> Self {
        Self::with(|config| config.auth.secret = Some(SECRET.into())).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config { listen: ([127, 0, 0, 1], 0).into(), ..Config::default() };
        config.plugins = plugins_of_tests();
        // Tests call as fast as they can; how fast that is depends on the machine.
        config.limits.calls_burst = NonZeroU32::MAX;
        change(&mut config);
        let app = App::start(&config, Metrics::install()).await.expect("the hub starts");
        let url = app.url();
        Self { app, url }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.app.hub
    }

    pub(crate) fn plugins(&self) -> &plugin::Plugins {
        &self.app.plugins
    }

    pub(crate) async fn stop(self) {
        self.app.stop().await;
    }
}

/// No plugins but those a test puts somewhere. Native code outlives a run of the tests: most of them
/// use the same few plugins.
pub(crate) fn plugins_of_tests() -> plugin::Options {
    plugin::Options {
        folder: "/nowhere/at/all".into(),
        cache: Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-cache")),
        program: Some(env!("CARGO_BIN_EXE_mcp-hub").into()),
        ..plugin::Options::default()
    }
}

/// A token of `user` that is good for an hour.
pub(crate) fn token(user: &str) -> String {
    token_for(user, None, Duration::from_secs(3600))
}

pub(crate) fn token_for(user: &str, scopes: Option<&[Scope]>, ttl: Duration) -> String {
    let options =
        mcp_hub::auth::Options { secret: Some(SECRET.into()), ..mcp_hub::auth::Options::default() };
    let signer = Signer::new(&options, None).expect("a secret");
    let scopes = scopes.map(|scopes| {
        let names: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
        names.join(" ")
    });
    let user = UserId::parse(user).expect("a good name");
    signer.sign(&user, scopes.as_deref(), ttl, UnixTime::now())
}
