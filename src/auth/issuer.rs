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
            let mut is_known = keys.knows(header);
            for key in keys.fitting(header) {
                is_known |= header.kid.is_none();
                match key.claims(token) {
                    Ok(claims) => return Ok(claims.bearer(&self.rules)?),
                    Err(why) => refused = Some(why),
                }
            }
            // A server is asked for what it may have, not for what it has for something else.
            if !is_known && header.is_by_key_pair() {
                missing = missing.or(server.as_deref());
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
