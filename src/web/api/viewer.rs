//! Who looks, and at whose facts: everybody at their own, admins at those of any user or of all.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Path, Query},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use super::{Api, problem::Problem};
use crate::{
    auth::{Scope, User},
    hub::{Hub, chronicle::Chronicle, user::UserTools},
    model::{clock::UnixTime, error::innermost, id::UserId},
};

/// Whoever sent a request, found to be let in.
pub(super) struct Viewer {
    pub user: User,
    pub is_admin: bool,
    /// Whether the request came from a page that is not this hub's.
    is_elsewhere: bool,
}

/// Whose facts are asked for.
pub(super) enum Whose {
    One(Arc<UserTools>),
    All,
}

/// Stands for all users.
const ALL: &str = "*";

impl FromRequestParts<Arc<Api>> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let (uri, headers, now) = (&parts.uri, &parts.headers, UnixTime::now());
        let user = api.gate.enter(uri, headers, Scope::Tools, now).await?;
        let is_admin = user.may(Scope::Admin).is_ok();
        if !is_admin {
            user.may(Scope::Tools)?;
        }
        let is_elsewhere = api.urls.is_elsewhere(&parts.uri, &parts.headers);
        Ok(Self { user, is_admin, is_elsewhere })
    }
}

impl Viewer {
    /// Whose facts `named` asks for; the viewer's own when nobody is named.
    pub(super) fn whose(&self, hub: &Hub, named: Option<&str>) -> Result<Whose, Problem> {
        match named {
            Some(ALL) if self.is_admin => Ok(Whose::All),
            named => self.one(hub, named).map(Whose::One),
        }
    }

    /// The same, where it has to be one user.
    pub(super) fn one(&self, hub: &Hub, named: Option<&str>) -> Result<Arc<UserTools>, Problem> {
        let Some(named) = named.filter(|named| *named != self.user.id.as_str()) else {
            return Ok(hub.user(&self.user.id));
        };
        let found = UserId::parse(named).filter(|_| self.is_admin);
        let found = found.and_then(|user| hub.registry().find(&user));
        found.ok_or_else(|| Problem::not_found(format!("no user {named:?} is here")))
    }

    /// Whose health `named` asks for: an admin's care is the whole hub, when nobody is named.
    pub(super) fn whose_health(&self, hub: &Hub, named: Option<&str>) -> Result<Whose, Problem> {
        if self.is_admin && named.is_none() { Ok(Whose::All) } else { self.whose(hub, named) }
    }

    /// Pages of others, be they on this machine, may look but not act.
    pub(super) fn must_be_at_home(&self) -> Result<(), Problem> {
        let detail = "pages of other origins may look at this hub, but not act on it";
        if self.is_elsewhere { Err(Problem::forbidden(detail)) } else { Ok(()) }
    }

    pub(super) fn must_be_admin(&self) -> Result<(), Problem> {
        Ok(self.user.may(Scope::Admin)?)
    }
}

impl Whose {
    pub(super) fn id(&self) -> Option<&UserId> {
        match self {
            Self::One(user) => Some(&user.id),
            Self::All => None,
        }
    }

    pub(super) fn chronicle<'a>(&'a self, hub: &'a Hub) -> &'a Chronicle {
        match self {
            Self::One(user) => &user.chronicle,
            Self::All => hub.registry().chronicle(),
        }
    }
}

/// What the path of a request names.
pub(super) struct Named<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Api>> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let read = Path::from_request_parts(parts, api).await;
        let Path(named) = read.map_err(|refused| Problem::bad_request(refused.body_text()))?;
        Ok(Self(named))
    }
}

/// The parameters of a request, read into `T`.
pub(super) struct Params<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Api>> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Problem> {
        let read = Query::try_from_uri(&parts.uri);
        let Query(params) = read.map_err(|refused| {
            let why = innermost(&refused);
            Problem::bad_request(format!("the query is not understood: {why}"))
        })?;
        Ok(Self(params))
    }
}
