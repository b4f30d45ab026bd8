//! What has become of each plugin, for whoever looks.

use std::{collections::BTreeMap, sync::Arc};

use mcp_hub_sandbox::Plugin;
use parking_lot::Mutex;

use super::folder::Place;
use crate::{
    hub::{Hub, pulse::Matter},
    model::{
        clock::Timestamp,
        id::UserId,
        plugin::{PluginState, PluginStatus, Serving},
    },
};

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub(super) struct Board {
    /// Those who look are told through it.
    hub: Hub,
    cards: Arc<Mutex<BTreeMap<Place, Card>>>,
}

#[derive(Clone)]
pub(super) struct Card {
    state: PluginState,
    since: Timestamp,
    fault: Option<String>,
    serving: Option<(Serving, Plugin)>,
}

impl Board {
    pub(super) fn new(hub: Hub) -> Self {
        Self { hub, cards: Arc::default() }
    }

    pub(super) fn loading(&self, place: &Place) {
        self.card(place, PluginState::Loading, |_| {});
    }

    pub(super) fn serves(&self, place: &Place, serving: Serving, plugin: Plugin) {
        self.card(place, PluginState::Serving, |card| {
            card.fault = None;
            card.serving = Some((serving, plugin));
        });
    }

    /// What served before goes on.
    pub(super) fn is_faulty(&self, place: &Place, fault: String) {
        self.card(place, PluginState::Faulty, |card| card.fault = Some(fault));
    }

    /// Nothing of it serves.
    pub(super) fn is_disabled(&self, place: &Place) {
        self.card(place, PluginState::Disabled, |card| {
            card.fault = None;
            card.serving = None;
        });
    }

    pub(super) fn gone(&self, place: &Place) {
        self.cards.lock().remove(place);
        self.tell(place);
    }

    fn card(&self, place: &Place, state: PluginState, change: impl FnOnce(&mut Card)) {
        let since = Timestamp::now();
        let mut cards = self.cards.lock();
        let new = || Card { state, since, fault: None, serving: None };
        let card = cards.entry(place.clone()).or_insert_with(new);
        (card.state, card.since) = (state, since);
        change(card);
        drop(cards);
        self.tell(place);
    }

    fn tell(&self, place: &Place) {
        self.hub.registry().tell(place.user.as_ref(), Matter::Plugins);
    }

    /// How many plugins are so.
    pub(super) fn count(&self, is_so: impl Fn(&Card) -> bool) -> usize {
        self.cards.lock().values().filter(|card| is_so(card)).count()
    }

    /// How one plugin fares.
    pub(super) fn status(&self, place: &Place) -> Option<PluginStatus> {
        self.cards.lock().get(place).map(|card| card.status(place))
    }

    /// Those of everybody and of `user`; all for `None`.
    pub(super) fn statuses(&self, user: Option<&UserId>) -> Vec<PluginStatus> {
        let cards = self.cards.lock();
        let is_seen =
            |place: &Place| user.is_none() || place.user.is_none() || place.user.as_ref() == user;
        let seen = cards.iter().filter(|(place, _)| is_seen(place));
        let status = |(place, card): (&Place, &Card)| {
            let status = card.status(place);
            // What everybody's plugin was refused may say what somebody asked it for.
            let is_told = user.is_none() || place.user.is_some();
            PluginStatus { denied: if is_told { status.denied } else { Vec::new() }, ..status }
        };
        seen.map(status).collect()
    }
}

impl Card {
    pub(super) fn state(&self) -> PluginState {
        self.state
    }

    /// Whether a version of it is on offer, if not that of the file as it is now.
    pub(super) fn serves(&self) -> bool {
        self.serving.is_some()
    }

    fn status(&self, place: &Place) -> PluginStatus {
        let denied = self.serving.as_ref().map(|(_, plugin)| plugin.denied()).unwrap_or_default();
        PluginStatus {
            name: place.name.clone(),
            user: place.user.clone(),
            state: self.state,
            since: self.since,
            fault: self.fault.clone(),
            serving: self.serving.as_ref().map(|(serving, _)| serving.clone()),
            denied: denied.iter().map(ToString::to_string).collect(),
        }
    }
}
