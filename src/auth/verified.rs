//! Tokens that were found good lately: clients show the same one with every request, and to know it
//! again takes a hundredth of the time that its signature takes.

use arc_swap::ArcSwapOption;
use aws_lc_rs::digest::{SHA256, digest};

use super::claims::Bearer;

/// How many are remembered at most.
const PLACES: usize = 4096;

/// Each token has one place, where it takes that of whichever was there before. So nothing is locked,
/// and nothing has to be tidied.
pub(super) struct Verified(Box<[ArcSwapOption<Known>]>);

struct Known {
    digest: Digest,
    /// Which keys it was verified with.
    revision: u64,
    bearer: Bearer,
}

/// What a token is known by. The token itself is kept nowhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(token: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        Self(bytes)
    }

    fn place(self) -> usize {
        usize::from(u16::from_le_bytes([self.0[0], self.0[1]])) % PLACES
    }
}

impl Default for Verified {
    fn default() -> Self {
        Self((0..PLACES).map(|_| ArcSwapOption::empty()).collect())
    }
}

impl Verified {
    /// Who bears the token, if it was found good with the keys of `revision`. It may have expired.
    pub(super) fn get(&self, digest: Digest, revision: u64) -> Option<Bearer> {
        let known = self.0[digest.place()].load();
        let known = known.as_ref()?;
        let is_it = known.digest == digest && known.revision == revision;
        is_it.then(|| known.bearer.clone())
    }

    /// Remembers a token that was found good with the keys of `revision`, which was read before them.
    pub(super) fn put(&self, digest: Digest, revision: u64, bearer: Bearer) {
        let known = Known { digest, revision, bearer };
        self.0[digest.place()].store(Some(known.into()));
    }
}
