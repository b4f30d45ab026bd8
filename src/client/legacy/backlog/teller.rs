//! The end of a stream at which its requests are answered.

use std::num::NonZeroU64;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Answer, Backlog,
    shelf::{Lost, Weight, rendered},
};
use crate::client::{message::RequestId, payload::Payload};

/// Where one request of the client's is answered.
pub(in crate::client::legacy) struct Teller {
    pub(super) backlog: Backlog,
    pub(super) stream: NonZeroU64,
    /// The request, unless that could not be read.
    pub(super) id: Option<RequestId>,
}

impl Teller {
    /// Tells what may be lost when the client does not keep up.
    pub(in crate::client::legacy) fn advise(&self, payload: Payload) {
        let event = payload.into_open_event();
        let told = self.backlog.shelf.lock().tell(self.stream, event, Weight::Advice);
        if let Err(why) = told {
            tracing::debug!(?why, "advice was dropped: its client reads too slowly or has gone");
        }
    }

    /// Tells what the client has to react to. What is given fires if that is lost before it is read.
    pub(in crate::client::legacy) fn demand(
        &self,
        payload: Payload,
    ) -> Result<CancellationToken, Lost> {
        let (event, is_lost) = (payload.into_open_event(), CancellationToken::new());
        let weight = Weight::Question(is_lost.clone());
        self.backlog.shelf.lock().tell(self.stream, event, weight)?;
        Ok(is_lost)
    }

    /// The last that is told of the request. Without it, the client cancelled and hears no more.
    pub(in crate::client::legacy) fn answer(self, answer: Answer) {
        let waits = self.backlog.shelf.lock().wait(self.stream, self.id.as_ref(), answer);
        let Some(answer) = waits else { return };
        // Put into its form without the lock: it may be megabytes.
        let event = rendered(answer);
        // The body that the id was cut from is not to be kept with it.
        let weight = Weight::Answer(self.id.as_ref().map(RequestId::detached));
        let told = self.backlog.shelf.lock().tell(self.stream, event, weight);
        if let Err(why) = told {
            tracing::debug!(?why, "an answer was dropped: its client has gone");
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        let mut shelf = self.backlog.shelf.lock();
        if let Some(state) = shelf.streams.get_mut(&self.stream) {
            state.open -= 1;
            if state.open == 0 {
                state.over = Some(Instant::now());
                state.wake.send_replace(());
            }
        }
    }
}
