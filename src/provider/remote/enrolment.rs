//! What a connected provider has put on offer, and the rules by which a tool set is taken in.

use std::sync::Arc;

use super::{
    frame::{About, Bounds, LABEL_BYTES_MAX, RefusedTool, Register, Registered, Software},
    handle::RemoteProvider,
};
use crate::{
    hub::{
        Hub,
        provider::{Identity, Kind},
        registry::{Audience, Position, Registration},
    },
    model::{
        id::{InstanceId, ProviderId, UserId},
        json::{self, Json},
        limits::bytes,
        tool::{Refusal, Tool},
    },
    provider::tool_set::{self, Faulty},
};

/// The provider's part in the registry; what it offers goes when this is dropped.
pub(super) struct Enrolment {
    hub: Hub,
    user: UserId,
    provider: Arc<RemoteProvider>,
    current: Option<Current>,
}

struct Current {
    registration: Registration,
    id: ProviderId,
    instance: InstanceId,
}

/// Why a tool set is refused as a whole.
#[derive(Debug)]
pub(super) struct Refused {
    pub message: String,
    pub tools: Option<Vec<RefusedTool>>,
}

impl From<String> for Refused {
    fn from(message: String) -> Self {
        Self { message, tools: None }
    }
}

/// A tool set that was taken in.
pub(super) struct Accepted<'a> {
    id: &'a ProviderId,
    user: &'a UserId,
    bounds: Bounds,
    positions: Vec<Position>,
}

impl Accepted<'_> {
    pub(super) fn answer(&self) -> Registered<'_> {
        let names = self.positions.iter().map(|position| position.tool.as_str());
        Registered {
            provider_id: self.id.as_str().into(),
            user: self.user.as_str().into(),
            hub: Software {
                name: env!("CARGO_PKG_NAME").into(),
                version: env!("CARGO_PKG_VERSION").into(),
            },
            limits: self.bounds,
            tools: self.positions.iter().map(Into::into).collect(),
            warnings: names.filter_map(tool_set::warning).collect(),
        }
    }
}

impl Enrolment {
    pub(super) fn new(hub: Hub, user: UserId, provider: RemoteProvider) -> Self {
        Self { hub, user, provider: Arc::new(provider), current: None }
    }

    pub(super) fn is_registered(&self) -> bool {
        self.current.is_some()
    }

    pub(super) fn withdraw(&mut self) {
        self.current = None;
    }

    /// Puts the tools of `params` in the place of all that was on offer, or refuses them all.
    pub(super) fn register(&mut self, params: Option<&Json>) -> Result<Accepted<'_>, Refused> {
        let params = params.ok_or_else(|| "`params` is missing".to_owned())?;
        let register: Register<'_> = json::object(params.as_str())
            .map_err(|error| format!("`params` is not a registration: {error}"))?;
        let about: About<'_> = json::object(register.provider.get())
            .map_err(|error| format!("`params.provider` cannot be read: {error}"))?;
        let instance = about.instance()?;
        let tools = self.parsed(&register)?;
        let current = match self.current.take() {
            Some(current) => {
                let replaced = current.replace(instance.as_ref(), tools);
                // Whatever is refused, what was on offer stays.
                let current = self.current.insert(current);
                replaced?;
                current
            }
            None => {
                let current = self.first(&about, instance, tools)?;
                self.current.insert(current)
            }
        };
        let limits = self.hub.limits();
        let bounds = Bounds {
            message_bytes: bytes(limits.provider_message),
            calls_in_flight: limits.calls_per_provider.get(),
            tools: limits.tools_per_provider.get(),
            json_depth: limits.json_depth.get(),
        };
        let positions = current.registration.positions();
        Ok(Accepted { id: &current.id, user: &self.user, bounds, positions })
    }

    fn first(
        &self,
        about: &About<'_>,
        instance: Option<InstanceId>,
        tools: Vec<Arc<Tool>>,
    ) -> Result<Current, Refused> {
        let (id, instance) = (ProviderId::random(), instance.unwrap_or_else(InstanceId::random));
        let identity = Identity {
            id: id.clone(),
            name: label("provider.name", &about.name)?,
            version: about.version.as_deref().map(|v| label("provider.version", v)).transpose()?,
            instance: instance.clone(),
            kind: Kind::Remote,
        };
        let (name, count) = (identity.name.clone(), tools.len());
        let provider = Arc::clone(&self.provider);
        let registration = self
            .hub
            .offer(Audience::One(self.user.clone()), identity, provider, tools)
            .map_err(|refused| refused.to_string())?;
        tracing::info!(
            user = %self.user, provider = %id, %name, tools = count, "a provider registered"
        );
        Ok(Current { registration, id, instance })
    }

    fn parsed(&self, register: &Register<'_>) -> Result<Vec<Arc<Tool>>, Refused> {
        tool_set::parse(&register.tools, self.hub.limits()).map_err(|faulty| {
            if let Some(limit) = faulty.limit() {
                self.hub.user(&self.user).hit(limit);
            }
            let message = faulty.to_string();
            let tools = match faulty {
                Faulty::TooMany { .. } => None,
                Faulty::Tools { refused, .. } => Some(refused.into_iter().map(told).collect()),
            };
            Refused { message, tools }
        })
    }
}

fn told((index, Refusal { name, reason, .. }): (usize, Refusal)) -> RefusedTool {
    RefusedTool { index, name, reason }
}

impl Current {
    fn replace(&self, instance: Option<&InstanceId>, tools: Vec<Arc<Tool>>) -> Result<(), Refused> {
        if instance.is_some_and(|instance| *instance != self.instance) {
            let message = "`provider.instanceId` cannot change while connected".to_owned();
            return Err(message.into());
        }
        match self.registration.replace(tools) {
            Ok(true) => Ok(()),
            Ok(false) => Err("the same instanceId has connected again".to_owned().into()),
            Err(refused) => Err(refused.to_string().into()),
        }
    }
}

impl About<'_> {
    fn instance(&self) -> Result<Option<InstanceId>, Refused> {
        let Some(said) = &self.instance_id else { return Ok(None) };
        let max = InstanceId::BYTES_MAX;
        let fault = || format!("`provider.instanceId` must have 1 to {max} bytes of plain text");
        InstanceId::parse(said).map(Some).ok_or_else(|| fault().into())
    }
}

fn label(member: &str, text: &str) -> Result<Box<str>, Refused> {
    let fits = (1..=LABEL_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    if fits {
        Ok(text.into())
    } else {
        Err(format!("`{member}` must have 1 to {LABEL_BYTES_MAX} bytes of plain text").into())
    }
}
