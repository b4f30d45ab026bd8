//! What has become of each plugin, for whoever looks.

use std::{collections::BTreeMap, sync::Arc};

use mcp_hub_sandbox::Plugin;
use parking_lot::Mutex;

use super::folder::Place;
use crate::model::{
    id::UserId,
    plugin::{PluginState, PluginStatus, Serving},
};

/// Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub(super) struct Board {
    cards: Arc<Mutex<BTreeMap<Place, Card>>>,
}

#[derive(Clone)]
struct Card {
    state: PluginState,
    fault: Option<String>,
    serving: Option<(Serving, Plugin)>,
}

impl Board {
    pub(super) fn loading(&self, place: &Place) {
        self.card(place, |card| card.state = PluginState::Loading);
    }

    pub(super) fn serves(&self, place: &Place, serving: Serving, plugin: Plugin) {
        self.card(place, |card| {
            card.state = PluginState::Serving;
            card.fault = None;
            card.serving = Some((serving, plugin));
        });
    }

    /// What served before goes on.
    pub(super) fn is_faulty(&self, place: &Place, fault: String) {
        self.card(place, |card| {
            card.state = PluginState::Faulty;
            card.fault = Some(fault);
        });
    }

    pub(super) fn gone(&self, place: &Place) {
        self.cards.lock().remove(place);
    }

    fn card(&self, place: &Place, change: impl FnOnce(&mut Card)) {
        let mut cards = self.cards.lock();
        let new = || Card { state: PluginState::Loading, fault: None, serving: None };
        change(cards.entry(place.clone()).or_insert_with(new));
    }

    /// Those of everybody and of `user`; all for `None`.
    pub(super) fn statuses(&self, user: Option<&UserId>) -> Vec<PluginStatus> {
        let cards = self.cards.lock();
        let is_seen =
            |place: &Place| user.is_none() || place.user.is_none() || place.user.as_ref() == user;
        let seen = cards.iter().filter(|(place, _)| is_seen(place));
        seen.map(|(place, card)| card.status(place)).collect()
    }
}

impl Card {
    fn status(&self, place: &Place) -> PluginStatus {
        let denied = self.serving.as_ref().map(|(_, plugin)| plugin.denied()).unwrap_or_default();
        PluginStatus {
            name: place.name.clone(),
            user: place.user.clone(),
            state: self.state,
            fault: self.fault.clone(),
            serving: self.serving.as_ref().map(|(serving, _)| serving.clone()),
            denied: denied.iter().map(ToString::to_string).collect(),
        }
    }
}
