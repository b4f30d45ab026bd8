//! All that the hub serves over HTTP, and which part of it answers what.

use std::sync::Arc;

use axum::{Router, extract::Request, http::Method, response::Response};
use futures_util::future::BoxFuture;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use crate::{
    client::{self, Client},
    serving,
    web::{self, Cors},
};

/// The parts together.
pub struct Site {
    /// What is asked for most by far is found without the router, which clones and boxes for each
    /// request. `None` if pages of other origins may ask: they are told so on the way.
    direct: Option<Arc<Client>>,
    routes: TowerToHyperService<Router>,
}

impl Site {
    /// `client` and what else there is; of the client's part alone, `cors` decides here.
    pub fn new(client: Arc<Client>, cors: &Cors, others: Router) -> Self {
        let methods = [Method::GET, Method::POST, Method::DELETE];
        let routes = cors.open(Arc::clone(&client).routes(), methods);
        let routes = routes.merge(others).fallback(web::nothing);
        let direct = cors.is_closed().then_some(client);
        Self { direct, routes: TowerToHyperService::new(routes) }
    }
}

impl serving::Site for Site {
    fn answer(&self, request: Request) -> BoxFuture<'static, Response> {
        let is_for_clients = request.uri().path() == client::PATH;
        match &self.direct {
            // The router takes the body off what answers HEAD.
            Some(client) if is_for_clients && request.method() != Method::HEAD => {
                Box::pin(Arc::clone(client).answer(request))
            }
            _ => {
                let answer = self.routes.call(request);
                Box::pin(async { answer.await.unwrap_or_else(|never| match never {}) })
            }
        }
    }
}
