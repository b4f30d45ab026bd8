//! Streams that stay open to tell a client that its tools have changed.

use std::{convert::Infallible, sync::Arc};

use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use metrics::counter;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    Client,
    answer::{KEEP_ALIVE, KEEP_ALIVE_COMMENT, event_stream},
    error::Refusal,
    legacy::{
        EventId, priming,
        session::{OpenStream, Session},
    },
    message::RequestId,
    modern,
    payload::{Payload, SERVER_INFO},
    presence::Listening,
};
use crate::{
    auth::User,
    hub::user::{Permit, UserTools},
};

const LIST_CHANGED: &str = "notifications/tools/list_changed";

/// A stream and everything it holds on to while it is open.
struct Open {
    kind: Kind,
    /// `None` when the client did not ask to hear of tools.
    changes: Option<watch::Receiver<u64>>,
    draining: CancellationToken,
    expires: Option<Instant>,
    first: Option<Bytes>,
    is_over: bool,
    _permit: Permit,
    /// Has those who look see it with its client; a session is seen by itself.
    _listening: Option<Listening>,
}

enum Kind {
    /// `subscriptions/listen`, known by the id of its request.
    Subscription(RequestId),
    Session(Arc<Session>, OpenStream),
}

/// Why a stream got a turn.
enum Turn {
    Changed,
    KeepAlive,
    /// The hub stops or the token has expired.
    Over,
    /// The session has ended, or another stream took this one's place.
    Cut,
}

/// `subscriptions/listen` of the modern era.
pub(super) fn subscription(
    request: &modern::Request<'_>,
    tools: &Arc<UserTools>,
    wants_tools: bool,
    listens: impl FnOnce() -> Listening,
) -> Result<Response, Refusal> {
    let (client, id) = (request.client, &request.id);
    let permit = permit(client, tools)?;
    let honoured = if wants_tools { r#"{"toolsListChanged":true}"# } else { "{}" };
    let params = [r#"{"_meta":"#, &subscription_meta(id), r#","notifications":"#, honoured, "}"];
    let acknowledged =
        Payload::notification("notifications/subscriptions/acknowledged", Some(&params.concat()));
    let open = Open {
        changes: wants_tools.then(|| tools.watch()),
        kind: Kind::Subscription(id.detached()),
        draining: client.lifecycle.draining(),
        expires: request.user.ends(),
        first: Some(acknowledged.into_event()),
        is_over: false,
        _permit: permit,
        _listening: Some(listens()),
    };
    Ok(event_stream(stream::unfold(open, Open::next)))
}

/// GET of the legacy era. The client may say which change was the `last` it heard of.
pub(super) fn session_stream(
    client: &Client,
    user: &User,
    session: &Arc<Session>,
    last: Option<u64>,
) -> Result<Response, Refusal> {
    let permit = permit(client, &session.tools)?;
    let (changes, last) = session.changes(last);
    let open = Open {
        changes: Some(changes),
        kind: Kind::Session(Arc::clone(session), session.open_stream()),
        draining: client.lifecycle.draining(),
        expires: user.ends(),
        // Shows the client, and proxies, at once that the stream is open.
        first: Some(match session.polls() {
            true => priming(EventId::Change(last)),
            false => KEEP_ALIVE_COMMENT,
        }),
        is_over: false,
        _permit: permit,
        _listening: None,
    };
    Ok(event_stream(stream::unfold(open, Open::next)))
}

fn permit(client: &Client, tools: &Arc<UserTools>) -> Result<Permit, Refusal> {
    let max = client.limits.streams_per_user.get();
    tools.permit_stream(max).map_err(Refusal::limited)
}

fn subscription_meta(id: &RequestId) -> String {
    format!(r#"{{"io.modelcontextprotocol/subscriptionId":{}}}"#, id.as_str())
}

impl Open {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if let Some(first) = self.first.take() {
            return Some((Ok(first), self));
        }
        if self.is_over {
            return None;
        }
        let event = match self.turn().await {
            Turn::Changed => self.changed(),
            Turn::KeepAlive => KEEP_ALIVE_COMMENT,
            Turn::Over => {
                self.is_over = true;
                self.farewell()?
            }
            Turn::Cut => return None,
        };
        Some((Ok(event), self))
    }

    async fn turn(&mut self) -> Turn {
        let expires = self.expires;
        let expired = async {
            match expires {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let changes = &mut self.changes;
        let changed = async {
            match changes {
                // The sender lives as long as the user does, and the permit holds the user.
                Some(changes) => changes.changed().await.is_ok(),
                None => std::future::pending().await,
            }
        };
        let cut = async {
            match &self.kind {
                Kind::Subscription(..) => std::future::pending().await,
                Kind::Session(session, stream) => tokio::select! {
                    () = session.ended.cancelled() => {}
                    () = stream.replaced.cancelled() => {}
                },
            }
        };
        tokio::select! {
            biased;
            () = cut => Turn::Cut,
            () = self.draining.cancelled() => Turn::Over,
            () = expired => Turn::Over,
            _ = changed => Turn::Changed,
            () = sleep(KEEP_ALIVE) => Turn::KeepAlive,
        }
    }

    fn changed(&self) -> Bytes {
        counter!("mcp_hub_list_changed_total").increment(1);
        match &self.kind {
            Kind::Subscription(id) => {
                let params = [r#"{"_meta":"#, &subscription_meta(id), "}"].concat();
                Payload::notification(LIST_CHANGED, Some(&params)).into_event()
            }
            Kind::Session(session, _) => {
                let number = self.changes.as_ref().map_or(0, |changes| *changes.borrow());
                session.told(number);
                let mut event = Payload::notification(LIST_CHANGED, None).into_open_event();
                let id = EventId::Change(number);
                event.extend_from_slice(format!("id: {id}\n\n").as_bytes());
                event.freeze()
            }
        }
    }

    /// A subscription ends with the result of its request; a session's stream just ends.
    fn farewell(&self) -> Option<Bytes> {
        let Kind::Subscription(id) = &self.kind else { return None };
        let subscription = subscription_meta(id);
        let meta = &subscription[..subscription.len() - 1];
        let result = [r#"{"resultType":"complete","_meta":"#, meta, ",", SERVER_INFO, "}}"];
        Some(Payload::result(id, [Bytes::from(result.concat())]).into_event())
    }
}
