//! The event stream of one POST, from its beginning or from where its client was cut off.

use std::{convert::Infallible, sync::Arc};

use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    backlog::{EventId, Reader},
    session::Session,
};
use crate::{
    auth::User,
    client::{
        Client,
        answer::{KEEP_ALIVE, KEEP_ALIVE_COMMENT, event_stream},
    },
};

/// How long a client is to wait before it comes back, in milliseconds.
const RETRY_MS: u32 = 500;

/// The response that tells what `reader` reads.
pub(super) fn of(client: &Client, user: &User, session: &Arc<Session>, reader: Reader) -> Response {
    let now = Instant::now();
    // A connection that is held for long is given back, and its client comes for the rest.
    let held = session.polls().then(|| now + client.limits.call_stream_time);
    let open = Open {
        first: session.polls().then(|| priming(reader.at())),
        until: held.into_iter().chain(user.ends()).min(),
        session: Arc::clone(session),
        reader,
    };
    event_stream(stream::unfold(open, Open::next))
}

/// An event without data: where to go on, should the stream break off before anything was told
/// (MCP 2025-11-25, SEP-1699).
pub(in crate::client) fn priming(at: EventId) -> Bytes {
    format!("id: {at}\nretry: {RETRY_MS}\ndata: \n\n").into()
}

struct Open {
    session: Arc<Session>,
    reader: Reader,
    first: Option<Bytes>,
    /// When the stream ends, finished or not.
    until: Option<Instant>,
}

impl Open {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if let Some(first) = self.first.take() {
            return Some((Ok(first), self));
        }
        let until = self.until;
        let time_is_up = async {
            match until {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        let event = tokio::select! {
            biased;
            // A session is idle, and can be displaced, as soon as its calls have ended: their answers
            // are read even so.
            () = self.session.ended.cancelled() => self.reader.told()?,
            // Before what is told, which may never pause; what is left is for who comes back.
            () = time_is_up => return None,
            event = self.reader.next() => event?,
            () = sleep(KEEP_ALIVE) => KEEP_ALIVE_COMMENT,
        };
        Some((Ok(event), self))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::{
        client::{
            legacy::{
                backlog::Decided,
                session::{Handshake, Sessions},
            },
            message::RequestId,
            payload::Payload,
        },
        hub::{Hub, router},
        model::{id::UserId, limits::Limits},
    };

    #[tokio::test(start_paused = true)]
    async fn what_was_told_before_its_session_was_displaced_is_read_to_the_end() {
        let limits = Arc::new(Limits { sessions_per_user: NonZeroUsize::MIN, ..Limits::default() });
        let hub = Hub::new(Arc::clone(&limits), router::Options::default(), None, None);
        let sessions = Sessions::new(limits);
        let session = || {
            let handshake = Handshake { version: "2025-11-25", capabilities: None, client: None };
            sessions.open(hub.user(&UserId::public()), handshake).expect("no other is in use")
        };
        let displaced = session();
        let id = RequestId::of_text("1");
        let (undecided, teller) = displaced.backlog.open(id.clone());
        teller.advise(Payload::notification("half way", None));
        let Decided::Events(reader) = undecided.decided(None).await else { panic!("no stream") };
        teller.answer(Ok(Payload::result(&id, [Bytes::from("\"done\"")])));
        session();
        assert!(displaced.ended.is_cancelled());
        let mut open = Some(Open { session: displaced, reader, first: None, until: None });
        let mut read = Vec::new();
        while let Some((Ok(event), next)) = open.take().expect("it was put back").next().await {
            read.extend_from_slice(&event);
            open = Some(next);
        }
        let read = String::from_utf8(read).expect("a text");
        assert!(read.contains("half way") && read.contains("done"), "{read}");
    }
}
