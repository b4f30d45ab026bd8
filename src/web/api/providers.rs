//! `/api/v1/providers`: who answers a user's calls.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::{
    Answer, Api, answer, page,
    viewer::{Params, Viewer, Whose},
    who::{Condition, Who},
};
use crate::{
    hub::{
        health::{Breaker, Fared},
        view::Offering,
    },
    model::{clock::Timestamp, id::UserId},
};

/// Tools named in a list of providers.
const NAMES_MAX: usize = 20;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Providers {
    providers: Vec<Provider>,
    /// There is more; see `cursor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Whoever answers calls.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Provider {
    #[serde(flatten)]
    who: Who,
    /// Whose it is; nobody's if it is offered to everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// Whether it is offered to everybody.
    shared: bool,
    /// The name it gives itself, kept across its reconnects.
    instance: String,
    /// When it came.
    since: Timestamp,
    tools: usize,
    /// The first of them.
    tool_names: Vec<String>,
    in_flight_max: usize,
    #[serde(flatten)]
    condition: Condition,
}

/// The providers of a user, newest first; plugins are among them.
#[utoipa::path(
    get,
    path = "/api/v1/providers",
    tag = "providers",
    params(page::OfUsers),
    responses((status = 200, body = Providers), super::Faults)
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Params(wanted): Params<page::OfUsers>,
) -> Answer {
    let whose = viewer.whose(&api.hub, wanted.user.as_deref())?;
    let mut offerings = offerings(&api, &whose);
    let key = |(_, offering): &(Option<UserId>, Offering)| {
        format!("{}{}", page::newest_first(offering.since.millis()), offering.identity.id)
    };
    offerings.sort_by_cached_key(key);
    let page = page::cut(offerings, key, wanted.limit, wanted.cursor.as_deref())?;
    let (now, max) = (Instant::now(), api.hub.limits().calls_per_provider.get());
    let told = page.items.iter().map(|(user, offering)| {
        let fared = match &whose {
            Whose::All if offering.is_shared => fared_with_all(&api, offering, now),
            Whose::All | Whose::One(_) => offering.health.fared(now),
        };
        // How many calls others make of what is everybody's is theirs to know.
        let is_told = viewer.is_admin || !offering.is_shared;
        let in_flight = is_told.then(|| offering.provider.in_flight());
        Provider::of(user.as_ref(), offering, Condition::of(&fared, in_flight), max)
    });
    Ok(answer(&Providers { providers: told.collect(), next_cursor: page.next }))
}

fn offerings(api: &Api, whose: &Whose) -> Vec<(Option<UserId>, Offering)> {
    let registry = api.hub.registry();
    let common = registry.common();
    let (users, shared) = match whose {
        Whose::One(user) => (vec![Arc::clone(user)], user.shared(&common)),
        Whose::All => (registry.present(), common.to_vec()),
    };
    let own = users
        .iter()
        .flat_map(|user| user.own().into_iter().map(|offering| (Some(user.id.clone()), offering)));
    own.chain(shared.into_iter().map(|offering| (None, offering))).collect()
}

/// How what everybody is offered fares with all of them. Its breaker counts as open when it is to anybody.
fn fared_with_all(api: &Api, offering: &Offering, now: Instant) -> Fared {
    let mut all = offering.health.fared(now);
    api.hub.registry().each(|user| {
        let Some(fared) = user.fared(&offering.identity.id, now) else { return };
        all.calls += fared.calls;
        all.failures += fared.failures;
        let failed_at = |fared: &Fared| fared.last_failure.as_ref().map(|failure| failure.at);
        if failed_at(&fared) > failed_at(&all) {
            all.last_failure = fared.last_failure;
        }
        if all.breaker == Breaker::Closed {
            all.breaker = fared.breaker;
        }
    });
    all
}

impl Provider {
    fn of(
        user: Option<&UserId>,
        offering: &Offering,
        condition: Condition,
        in_flight_max: usize,
    ) -> Self {
        let names = offering.tools.iter().take(NAMES_MAX);
        Self {
            who: Who::from(&*offering.identity),
            user: user.map(ToString::to_string),
            shared: offering.is_shared,
            instance: offering.identity.instance.to_string(),
            since: offering.since,
            tools: offering.tools.len(),
            tool_names: names.map(|tool| tool.name.to_string()).collect(),
            in_flight_max,
            condition,
        }
    }
}
