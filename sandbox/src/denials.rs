//! What a guest was refused for want of a permission, in the words that would grant it.

use std::sync::Arc;

use parking_lot::Mutex;

/// Refusals remembered of one call; a guest that tries a thousand doors learns of the first few.
const DENIALS_MAX: usize = 8;
/// The longest name of a refused thing that is repeated, in bytes.
const NAME_BYTES_MAX: usize = 300;

/// A few refusals. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Denials(Arc<Mutex<Vec<Denial>>>);

/// One refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// What was asked for, such as `GET https://example.com` or `read /etc/passwd`.
    pub wanted: String,
    /// The line of `[permissions]` that would grant it.
    pub grant: String,
}

impl std::fmt::Display for Denial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} was refused; [permissions] would need {}", self.wanted, self.grant)
    }
}

impl Denials {
    pub(crate) fn add(&self, wanted: &str, grant: &str) {
        let short = |text: &str| text[..text.floor_char_boundary(NAME_BYTES_MAX)].to_owned();
        let denial = Denial { wanted: short(wanted), grant: short(grant) };
        let mut denials = self.0.lock();
        if denials.len() < DENIALS_MAX && !denials.contains(&denial) {
            denials.push(denial);
        }
    }

    pub(crate) fn peek(&self) -> Vec<Denial> {
        self.0.lock().clone()
    }

    pub(crate) fn take(&self) -> Vec<Denial> {
        std::mem::take(&mut *self.0.lock())
    }
}
