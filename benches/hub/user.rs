//! Who asks: the only user of a hub without authentication, or one of many with a token each.

use std::time::Duration;

use anyhow::Context;
use mcp_hub::{
    auth::{Options, Signer},
    model::{clock::UnixTime, id::UserId},
};

/// What hubs that tell users apart sign and verify tokens with.
pub(crate) const SECRET: &str = "a secret of the benchmark, longer than 32 bytes";

/// Longer than any run.
const VALID_FOR: Duration = Duration::from_secs(24 * 3600);

/// The users of a hub that does not tell them apart.
pub(crate) const ONLY: &[User] = &[User { bearer: None }];

#[derive(Clone)]
pub(crate) struct User {
    /// The value of `Authorization`.
    bearer: Option<String>,
}

impl User {
    /// The only one of a hub that does not tell users apart.
    pub(crate) fn only() -> Self {
        Self { bearer: None }
    }

    /// `count` users, the same ones in every process of this benchmark.
    pub(crate) fn many(count: usize) -> anyhow::Result<Vec<Self>> {
        let options = Options { secret: Some(SECRET.into()), ..Options::default() };
        let signer = Signer::new(&options, None).context("a secret and nobody who signs")?;
        let user = |number| {
            let id = UserId::parse(&format!("user-{number}")).context("an odd name")?;
            let token = signer.sign(&id, None, VALID_FOR, UnixTime::now());
            Ok(Self { bearer: Some(format!("Bearer {token}")) })
        };
        (0..count).map(user).collect()
    }

    pub(crate) fn bearer(&self) -> Option<&str> {
        self.bearer.as_deref()
    }

    /// The line of a request's head that says who it is; none where nobody asks.
    pub(crate) fn header(&self) -> String {
        self.bearer().map(|bearer| format!("Authorization: {bearer}\r\n")).unwrap_or_default()
    }
}
