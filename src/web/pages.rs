//! The pages for people: `/` explains the hub and sets clients up, `/dashboard` shows what goes on.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderName, header},
    response::{IntoResponse, Response},
    routing::get,
};
use minijinja::{Environment, context};

use super::{assets, glance::Glance, urls::Urls};
use crate::auth::Gate;

/// What a page may do: load and ask what comes from this hub, show pictures and sounds that a tool's
/// result brings along, and run no script that is not a file of its own.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data: blob:; media-src data: blob:; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
    trusted-types 'none'";

const LANDING: &str = "landing.html";
const DASHBOARD: &str = "dashboard.html";

/// What the pages are made from.
pub struct Pages {
    pub glance: Glance,
    pub gate: Arc<Gate>,
    pub urls: Urls,
}

struct Shelf {
    pages: Pages,
    templates: Environment<'static>,
}

impl Pages {
    pub fn routes(self) -> Router {
        let mut templates = Environment::new();
        for (name, text) in [
            (LANDING, include_str!("pages/landing.html")),
            (DASHBOARD, include_str!("pages/dashboard.html")),
        ] {
            templates.add_template(name, text).expect("our own templates are good");
        }
        let shelf = Arc::new(Shelf { pages: self, templates });
        let page = |name: &'static str| {
            get(move |State(shelf): State<Arc<Shelf>>, request: Request| async move {
                shelf.page(&request, name)
            })
        };
        Router::new()
            .route("/", page(LANDING))
            .route("/dashboard", page(DASHBOARD))
            .with_state(shelf)
            .merge(assets::routes())
    }
}

impl Shelf {
    /// It is the same for everybody; what is a user's own, it asks for with their token.
    fn page(&self, request: &Request, name: &str) -> Response {
        let Pages { glance, gate, urls } = &self.pages;
        if let Err(denial) = gate.knows(request.uri(), request.headers()) {
            return denial.into_response();
        }
        let base = urls.for_request(request.uri(), request.headers());
        let figures = glance.figures();
        let facts = context! {
            base => base.0.clone(),
            endpoint => base.endpoint(),
            providers_url => base.providers(),
            version => env!("CARGO_PKG_VERSION"),
            authentication => gate.asks_for_tokens(),
            signs_tokens => gate.signs_tokens(),
            figures => context! {
                tools => figures.tools,
                providers => figures.providers,
            },
        };
        let template = self.templates.get_template(name);
        let html = template.and_then(|template| template.render(facts));
        let html = html.expect("our own templates are good");
        let headers: [(HeaderName, &str); 5] = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::CACHE_CONTROL, "no-store"),
        ];
        (headers, html).into_response()
    }
}
