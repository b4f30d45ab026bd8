//! How much there is, for anybody who asks: worked out once a second at most.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::hub::{Figures, Hub};

/// How long figures are good for. Working them out takes a look at every user, and whoever asks need
/// not have a token.
const FRESH: Duration = Duration::from_secs(1);

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Glance {
    hub: Hub,
    last: Arc<Mutex<Option<(Instant, Figures)>>>,
}

impl Glance {
    pub fn new(hub: Hub) -> Self {
        Self { hub, last: Arc::default() }
    }

    pub(super) fn figures(&self) -> Figures {
        let mut last = self.last.lock();
        match *last {
            Some((at, figures)) if at.elapsed() < FRESH => figures,
            _ => {
                let figures = self.hub.figures();
                *last = Some((Instant::now(), figures));
                figures
            }
        }
    }
}
