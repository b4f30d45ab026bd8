//! `/api/v1/events`: what happens, as it happens, in one stream that can be taken up where it broke
//! off.
//!
//! A stream gets a turn when something has happened, gathers for a moment, and tells it all at once:
//! what it costs does not grow with the number of calls.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use utoipa::{IntoParams, ToSchema};

use super::{
    Api,
    calls::CallItem,
    health::HealthPoint,
    problem::Problem,
    viewer::{Params, Viewer, Whose},
    who::{Stats, millis},
};
use crate::{
    hub::{
        chronicle::Chronicle,
        pulse::{Beats, Matter},
        traffic::Traffic,
        user::Permit,
    },
    model::{clock::Timestamp, json::Json},
    web::series::{self, Point},
};

/// How long news is gathered before it is told.
const GATHERED: Duration = Duration::from_millis(250);
/// Shows that the line is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const KEEP_ALIVE_COMMENT: &[u8] = b":\n\n";
/// How often the health of a busy hub is told.
const HEALTH: Duration = Duration::from_secs(2);
/// Calls told at once; more are counted.
const CALLS_MAX: usize = 100;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// A user to look at, or `*` for all; for admins.
    user: Option<String>,
}

/// The first event, `hello`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Hello {
    /// Whether the stream goes on where the last one broke off; if not, all may have changed.
    resumed: bool,
}

/// The event `changed`: lists to be asked for anew.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Changed {
    what: Vec<&'static str>,
}

/// The event `calls`: calls that have ended, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NewCalls {
    calls: Vec<CallItem>,
    /// Calls before them that are not told, for there were too many.
    skipped: u64,
    /// The figures of the tools that were called; not when looking at all users.
    stats: BTreeMap<String, Stats>,
}

/// The event `health`: the time just past.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pace {
    #[serde(flatten)]
    point: HealthPoint,
    over_ms: f64,
}

/// The last event, `bye`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Bye {
    why: Farewell,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Farewell {
    TokenExpired,
    Stopping,
}

/// One stream and where it stands.
struct Feed {
    api: Arc<Api>,
    whose: Whose,
    health_of: Whose,
    seen: Beats,
    /// The place in the journal of the next call to be told.
    next_call: u64,
    first: Option<Hello>,
    /// What was counted when health was told last, and when that was.
    told: Traffic,
    told_beat: u64,
    told_at: Instant,
    /// Whether there was something in it.
    was_busy: bool,
    is_over: bool,
    draining: CancellationToken,
    expires: Option<Instant>,
    _permit: Permit,
}

enum Turn {
    News,
    Health,
    KeepAlive,
    Over(Farewell),
}

/// What happens, as server-sent events: `hello`, then `changed`, `calls` and `health`, at last `bye`.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "events",
    params(
        Wanted,
        ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event that was heard")
    ),
    responses(
        (status = 200, description = "A stream that stays open", content_type = "text/event-stream", body = String),
        (status = 429, description = "Too many streams", content_type = "application/problem+json", body = Problem),
        super::Faults
    )
)]
pub(super) async fn events(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Params(wanted): Params<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let whose = viewer.whose(&api.hub, wanted.user.as_deref())?;
    let health_of = viewer.whose_health(&api.hub, wanted.user.as_deref())?;
    let own = api.hub.user(&viewer.user.id);
    let permit = own.permit_stream(api.hub.limits().streams_per_user.get())?;
    let chronicle = whose.chronicle(&api.hub);
    let known = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    let known = known.and_then(|id| taken_up(id, chronicle));
    let resumed = known.is_some();
    let (seen, next_call) =
        known.unwrap_or_else(|| (chronicle.pulse.beats(), chronicle.next_call()));
    let feed = Feed {
        seen,
        next_call,
        first: Some(Hello { resumed }),
        told_beat: health_of.chronicle(&api.hub).pulse.beats()[Matter::Calls as usize],
        told: health_of.chronicle(&api.hub).traffic(),
        told_at: Instant::now(),
        was_busy: true,
        is_over: false,
        draining: api.draining.clone(),
        expires: viewer.user.ends(),
        whose,
        health_of,
        _permit: permit,
        api,
    };
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        // nginx would otherwise gather events itself.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(stream::unfold(feed, Feed::next))).into_response())
}

/// Where the stream stood that ended with the event `id`, if it was one of this pulse.
fn taken_up(id: &str, chronicle: &Chronicle) -> Option<(Beats, u64)> {
    let mut parts = id.split('.');
    let pulse = u64::from_str_radix(parts.next()?, 16).ok()?;
    let mut seen = Beats::default();
    for beat in &mut seen {
        *beat = parts.next()?.parse().ok()?;
    }
    let next_call: u64 = parts.next()?.parse().ok()?;
    let is_past = seen.iter().zip(chronicle.pulse.beats()).all(|(seen, now)| *seen <= now)
        && next_call <= chronicle.next_call();
    (pulse == chronicle.pulse.id && is_past && parts.next().is_none()).then_some((seen, next_call))
}

impl Feed {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if self.is_over {
            return None;
        }
        let text = match self.first.take() {
            Some(hello) => self.event("hello", &hello),
            None => loop {
                match self.turn().await {
                    Turn::News => {
                        let news = self.news();
                        if !news.is_empty() {
                            break news;
                        }
                    }
                    Turn::Health => break self.health(),
                    Turn::KeepAlive => {
                        return Some((Ok(Bytes::from_static(KEEP_ALIVE_COMMENT)), self));
                    }
                    Turn::Over(why) => {
                        self.is_over = true;
                        break self.event("bye", &Bye { why });
                    }
                }
            },
        };
        Some((Ok(Bytes::from(text)), self))
    }

    async fn turn(&self) -> Turn {
        let expired = async {
            match self.expires {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let pulse = &self.chronicle().pulse;
        let news = async {
            pulse.changed(&self.seen).await;
            sleep(GATHERED).await;
        };
        let health = async {
            if !self.was_busy {
                let pulse = &self.health_of.chronicle(&self.api.hub).pulse;
                pulse.changed_in(Matter::Calls, self.told_beat).await;
            }
            sleep_until(self.told_at + HEALTH).await;
        };
        tokio::select! {
            biased;
            () = self.draining.cancelled() => Turn::Over(Farewell::Stopping),
            () = expired => Turn::Over(Farewell::TokenExpired),
            () = health => Turn::Health,
            () = news => Turn::News,
            () = sleep(KEEP_ALIVE) => Turn::KeepAlive,
        }
    }

    fn news(&mut self) -> String {
        let beats = self.chronicle().pulse.beats();
        let is_new = |matter: &Matter| beats[*matter as usize] != self.seen[*matter as usize];
        let what: Vec<_> = Matter::ALL.into_iter().filter(is_new).filter_map(name).collect();
        // Calls are not told yet when the lists are: whoever comes back with that id hears of them.
        let untold = self.seen[Matter::Calls as usize];
        self.seen = beats;
        self.seen[Matter::Calls as usize] = untold;
        let mut text = String::new();
        if !what.is_empty() {
            text += &self.event("changed", &Changed { what });
        }
        self.seen = beats;
        let (entries, next) = self.chronicle().calls_since(self.next_call, CALLS_MAX);
        let skipped = next.saturating_sub(self.next_call).saturating_sub(entries.len() as u64);
        if next != self.next_call {
            self.next_call = next;
            let mut stats = BTreeMap::new();
            if let Whose::One(user) = &self.whose {
                let view = user.view();
                for entry in &entries {
                    if let Some(stack) = view.stack(&entry.tool) {
                        let of = || Stats::from(&*stack.traffic.lock());
                        stats.entry(entry.tool.to_string()).or_insert_with(of);
                    }
                }
            }
            let calls = entries.iter().map(|entry| CallItem::from(&**entry)).collect();
            text += &self.event("calls", &NewCalls { calls, skipped, stats });
        }
        text
    }

    fn health(&mut self) -> String {
        let pulse = &self.health_of.chronicle(&self.api.hub).pulse;
        // Read before the calls are, so that none between the two is missed.
        self.told_beat = pulse.beats()[Matter::Calls as usize];
        let (counted, now) = (self.health_of.chronicle(&self.api.hub).traffic(), Instant::now());
        let step = counted.after(&self.told);
        let in_flight = match &self.health_of {
            Whose::One(user) => user.calls_in_flight(),
            Whose::All => {
                let mut in_flight = 0;
                self.api.hub.registry().each(|user| in_flight += user.calls_in_flight());
                in_flight
            }
        };
        let point = Point::of(Timestamp::now(), &step);
        let memory = match self.health_of {
            Whose::One(_) => None,
            Whose::All => series::memory(),
        };
        let pace = Pace {
            point: HealthPoint::from(&Point { in_flight, memory, ..point }),
            over_ms: millis(now - self.told_at),
        };
        // One more after the last call, so that rates go down to nothing.
        self.was_busy = step.calls > 0 || in_flight > 0;
        (self.told, self.told_at) = (counted, now);
        self.event("health", &pace)
    }

    fn chronicle(&self) -> &Chronicle {
        self.whose.chronicle(&self.api.hub)
    }

    /// One event. Its id says where the stream stands after it.
    fn event(&self, name: &str, data: &impl Serialize) -> String {
        let beats = self.seen.map(|beat| beat.to_string()).join(".");
        let (pulse, next) = (self.chronicle().pulse.id, self.next_call);
        let data = Json::of(data);
        format!("id: {pulse:x}.{beats}.{next}\nevent: {name}\ndata: {}\n\n", data.as_str())
    }
}

/// A matter that is asked for anew when it changes; calls are told as they are.
fn name(matter: Matter) -> Option<&'static str> {
    match matter {
        Matter::Tools => Some("tools"),
        Matter::Providers => Some("providers"),
        Matter::Plugins => Some("plugins"),
        Matter::Clients => Some("clients"),
        Matter::Calls => None,
    }
}
