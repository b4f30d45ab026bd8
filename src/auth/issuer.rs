//! Those whose tokens are believed: each with its keys and its rules, and nobody else's.

use std::sync::Arc;

use super::{
    claims::{Bearer, Rules},
    denial::Reason,
    jose::Header,
    key_server::KeyServer,
    ring::Ring,
};

pub(super) struct Issuer {
    pub rules: Rules,
    pub sources: Vec<Source>,
}

/// Where keys of an issuer come from.
pub(super) struct Source {
    pub ring: Arc<Ring>,
    /// Who may have more of them.
    pub server: Option<Arc<KeyServer>>,
}

/// Why a token tells nothing of its bearer.
pub(super) enum Unproven<'a> {
    Refused(Reason),
    /// It names a key that is not here; this server may have it.
    Missing(&'a KeyServer),
}

impl From<Reason> for Unproven<'_> {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason)
    }
}

impl Issuer {
    /// Who bears `token`, if it is signed with a key of this issuer and in order.
    pub(super) fn bearer(&self, token: &str, header: &Header) -> Result<Bearer, Unproven<'_>> {
        let mut refused = None;
        let mut missing = None;
        for Source { ring, server } in &self.sources {
            let keys = ring.keys();
            let mut fitting = keys.fitting(header).peekable();
            // A server is asked for a key that it may have, not for one it has for something else.
            if fitting.peek().is_none() && header.is_by_key_pair() && !keys.knows(header) {
                missing = missing.or(server.as_deref());
            }
            for key in fitting {
                match key.claims(token) {
                    Ok(claims) => return Ok(claims.bearer(&self.rules)?),
                    Err(why) => refused = Some(why),
                }
            }
        }
        Err(match (missing, refused) {
            (Some(server), _) => Unproven::Missing(server),
            (None, Some(why)) => Unproven::Refused(why),
            (None, None) => {
                let what = "it is signed with another algorithm than its issuer's keys are for, \
                            or with a key that its issuer does not have";
                Unproven::Refused(Reason::bad(what))
            }
        })
    }
}
