//! A loaded component: lists its tools and answers calls, each in an instance of its own.

use std::{path::Path, sync::Arc};

use bytestring::ByteString;
use wasmtime::component::{Component, types::ComponentItem};

use super::{
    bounds::Bounds,
    denials::{Denial, Denials},
    endure::{Endure, Manner},
    engine::Sandbox,
    failure::{Broken, CallError, Cause, Failure},
    grants::Grants,
    host::{
        Listener, ProviderPre,
        exports::mcp_hub::plugin::tools::{self, Tool},
    },
    http::Network,
    inspect::Outline,
    instance::{Guest, Mould, Prepared},
    reflect::{self, Answer, Function},
    results,
    state::Make,
};

/// As much of a tool's name as is repeated when it is faulty.
const NAME_CHARS_MAX: usize = 128;

/// A component ready to be called. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Plugin {
    shared: Arc<Shared>,
}

struct Shared {
    make: Make,
    mould: Mould,
    /// The tools of a component that does not know the hub's world.
    functions: Vec<Function>,
    refused: Vec<String>,
    manner: Arc<Manner>,
}

/// What a plugin is run with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name in the log.
    pub name: String,
    pub bounds: Bounds,
    pub grants: Grants,
}

/// What a plugin offers.
pub struct Listed {
    /// MCP tool objects.
    pub definitions: Vec<String>,
    /// Sentences about functions that cannot be tools.
    pub refused: Vec<String>,
}

/// One call. Everything is JSON text, but for the tool's name and the state.
#[derive(Debug)]
pub struct Request {
    pub name: ByteString,
    pub arguments: ByteString,
    pub input_responses: Option<ByteString>,
    pub request_state: Option<ByteString>,
    pub meta: ByteString,
}

impl Sandbox {
    /// Takes in a component whose native code is in the file `native`.
    ///
    /// The file must be what [`super::compile`] made for this sandbox's fingerprint, and out of
    /// reach of whoever is not trusted with this process: native code is believed.
    pub fn load(
        &self,
        native: &Path,
        wasm: &[u8],
        outline: &Outline,
        settings: Settings,
    ) -> Result<Plugin, Broken> {
        #[expect(
            unsafe_code,
            reason = "the caller vouches for the file, as the documentation asks"
        )]
        // SAFETY: the file was written by `compile` in a folder nobody else can write to.
        let component = unsafe { Component::deserialize_file(self.engine(), native) };
        let component = component.map_err(|error| Broken::Unloadable(format!("{error:#}")))?;
        let unlinked = |error: wasmtime::Error| Broken::DoesNotLink(format!("{error:#}"));
        let pre = self.linker().instantiate_pre(&component).map_err(unlinked)?;
        let (mut functions, mut refused) = (Vec::new(), Vec::new());
        let mould = if outline.is_provider {
            Mould::Provider(ProviderPre::new(pre).map_err(unlinked)?)
        } else {
            let reflected = reflect::reflect(self.engine(), &component, wasm);
            let sentence = |refused: &reflect::Refused| {
                format!("{} cannot be a tool: {}", refused.function, refused.reason)
            };
            refused = reflected.refused.iter().map(sentence).collect();
            functions = reflected.functions;
            Mould::Typed(pre)
        };
        let grants = Arc::new(settings.grants);
        let network = Network::new(Arc::clone(&grants))
            .map_err(|error| Broken::DoesNotLink(error.to_string()))?;
        let make = Make {
            sandbox: self.clone(),
            name: settings.name,
            bounds: settings.bounds,
            grants,
            network: Arc::new(network),
            has_files: outline.asks_for("wasi:filesystem/"),
            denied: Denials::default(),
        };
        let asks = asks_whether_cancelled(self, &component);
        let manner = Arc::new(Manner::new(self.guests().clone(), asks));
        Ok(Plugin { shared: Arc::new(Shared { make, mould, functions, refused, manner }) })
    }
}

/// A guest that never asks is stopped at once; one that does has a moment to put things in order.
fn asks_whether_cancelled(sandbox: &Sandbox, component: &Component) -> bool {
    let engine = sandbox.engine();
    let outside = component.component_type();
    outside.imports(engine).any(|(name, import)| match import.ty {
        ComponentItem::ComponentInstance(host) if name.starts_with("mcp-hub:plugin/host@") => {
            host.get_export(engine, "cancelled").is_some()
        }
        _ => false,
    })
}

impl Plugin {
    /// Asks for the tools, within the bounds of a call.
    pub async fn list(&self) -> Result<Listed, Broken> {
        let shared = &self.shared;
        let refused = shared.refused.clone();
        if let Mould::Typed(_) = shared.mould {
            let definitions: Vec<_> =
                shared.functions.iter().map(|function| function.definition().to_owned()).collect();
            if definitions.is_empty() && refused.is_empty() {
                return Err(Broken::NoTools("it exports no function".to_owned()));
            }
            if definitions.is_empty() {
                return Err(Broken::NoTools(refused.join("; ")));
            }
            return Ok(Listed { definitions, refused });
        }
        let tools = self.run(None, listed).await.map_err(Broken::Listing)?;
        let definition = |tool: &Tool| {
            let name = || tool.name.chars().take(NAME_CHARS_MAX).collect();
            results::definition(tool).map_err(|reason| Broken::Tool { name: name(), reason })
        };
        let tools = tools.map_err(Broken::Unwilling)?;
        let definitions = tools.iter().map(definition).collect::<Result<_, _>>()?;
        Ok(Listed { definitions, refused })
    }

    /// Answers one call with an MCP result as JSON text. Dropping the future stops the guest.
    pub async fn call(
        &self,
        request: Request,
        listener: Option<Arc<dyn Listener>>,
    ) -> Result<String, Failure> {
        self.run(listener, |shared, prepared| answered(shared, prepared, request)).await
    }

    /// What each of its calls may use up.
    pub fn bounds(&self) -> &Bounds {
        &self.shared.make.bounds
    }

    /// What it was refused lately.
    pub fn denied(&self) -> Vec<Denial> {
        self.shared.make.denied.peek()
    }

    /// Runs `work` on a fresh instance, wherever that is best done.
    async fn run<T, W>(
        &self,
        listener: Option<Arc<dyn Listener>>,
        work: impl FnOnce(Arc<Shared>, Prepared) -> W + Send + 'static,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        let make = &self.shared.make;
        let place = make.place()?;
        let store = make.store(listener)?;
        let watch = Arc::clone(&store.data().watch);
        let all = async move {
            let prepared = shared.make.instance(&shared.mould, store, place).await?;
            work(shared, prepared).await
        };
        Endure::new(all, watch, Arc::clone(&self.shared.manner)).await
    }
}

/// A function's failure, and what it was denied.
fn with_denials(mut said: String, denials: &[Denial]) -> String {
    for denial in denials {
        said.push_str(&format!("\nThe hub: {denial}"));
    }
    said
}

async fn listed(
    shared: Arc<Shared>,
    mut prepared: Prepared,
) -> Result<Result<Vec<Tool>, String>, Failure> {
    let Guest::Provider(guest) = &prepared.guest else {
        return Ok(Ok(Vec::new()));
    };
    let deadline = prepared.store.data().deadline();
    let list = guest.mcp_hub_plugin_tools().call_list_tools(&mut prepared.store);
    let listed = shared.make.in_time(deadline, list).await;
    shared.make.ended(listed, prepared.store.data())
}

async fn answered(
    shared: Arc<Shared>,
    mut prepared: Prepared,
    request: Request,
) -> Result<String, Failure> {
    let make = &shared.make;
    let deadline = prepared.store.data().deadline();
    match &prepared.guest {
        Guest::Provider(guest) => {
            let asked = tools::Request {
                name: &request.name,
                arguments: &request.arguments,
                input_responses: request.input_responses.as_deref(),
                request_state: request.request_state.as_deref(),
                meta: &request.meta,
            };
            let call = guest.mcp_hub_plugin_tools().call_call_tool(&mut prepared.store, asked);
            let outcome = make.in_time(deadline, call).await;
            let outcome = make.ended(outcome, prepared.store.data())?;
            let denials = make.farewell(prepared.store.data());
            let result = match outcome {
                Ok(outcome) => results::result(&outcome, &denials),
                Err(error) => Err(results::said(error)),
            };
            result.map_err(|cause| Failure { cause, denials })
        }
        Guest::Typed(instance) => {
            let said = |error| Failure::from(Cause::Said(error));
            let function =
                shared.functions.iter().find(|function| function.name() == &*request.name);
            let function =
                function.ok_or_else(|| said(CallError::UnknownTool(request.name.to_string())))?;
            let arguments = function
                .arguments(&request.arguments)
                .map_err(|bad| said(CallError::InvalidArguments(bad.to_string())))?;
            let call = function.call(&mut prepared.store, instance, &arguments);
            let answer = make.in_time(deadline, call).await;
            let answer = make.ended(answer, prepared.store.data())?;
            let denials = make.farewell(prepared.store.data());
            let answer = match answer {
                Answer::Failure(said) => Answer::Failure(with_denials(said, &denials)),
                answer => answer,
            };
            Ok(answer.into_result_json())
        }
    }
}
