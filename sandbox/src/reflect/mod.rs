//! Makes tools of a component's ordinary typed functions, so that components that know nothing of
//! MCP (those written for wassette, say) can be used as they are.
//!
//! [`reflect`] copies each function's types into shapes and describes them as JSON Schema;
//! a call turns JSON into component values and back. What JSON cannot carry is refused with a reason.

mod answer;
mod bad_argument;
mod docs;
mod json_to_val;
mod name;
mod schema;
mod shape;
#[cfg(test)]
mod tests;
mod text;
mod val_to_json;

use serde_json::Value;
use wasmtime::{
    Engine, Store,
    component::{
        Component, ComponentExportIndex, Instance, Val,
        types::{ComponentFunc, ComponentItem},
    },
};

pub use self::{answer::Answer, bad_argument::BadArgument};
use self::{
    answer::Returns,
    docs::Docs,
    name::Origin,
    shape::{Budget, FUNCTION_TYPE_BYTES_MAX, Field, Shape, TYPE_DEPTH_MAX, Unfit},
};

/// Functions of one component that become tools.
const FUNCTIONS_MAX: usize = 1_000;
/// Bytes of the arguments of one call. Each may come to some forty bytes of component values.
const ARGUMENTS_BYTES_MAX: usize = 1 << 20;
/// The types of all its functions, counted as those of one are.
const TYPE_BYTES_MAX: usize = 16 << 20;

/// What a component's exports come to.
#[derive(Debug, Default)]
pub struct Reflected {
    pub functions: Vec<Function>,
    pub refused: Vec<Refused>,
}

/// An exported function that is no tool.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// `ns:package/interface@version#function`, or the bare name of a function of the world.
    pub function: String,
    /// A sentence.
    pub reason: String,
}

/// A typed function that is offered as a tool.
#[derive(Debug)]
pub struct Function {
    name: String,
    origin: Origin,
    definition: String,
    parameters: Vec<Field>,
    returns: Returns,
    index: ComponentExportIndex,
}

/// Looks at all exports of `component`, in their order. `wasm` is the binary it was compiled from,
/// for doc comments; it may be empty.
pub fn reflect(engine: &Engine, component: &Component, wasm: &[u8]) -> Reflected {
    let mut reflection =
        Reflection { component, type_bytes: TYPE_BYTES_MAX, found: vec![], refused: vec![] };
    for (name, item) in component.component_type().exports(engine) {
        match item.ty {
            ComponentItem::ComponentFunc(function) => {
                let origin = Origin { interface: None, function: name.to_owned() };
                reflection.add(origin, &function, None);
            }
            ComponentItem::ComponentInstance(interface) => {
                let place = component.get_export_index(None, name);
                for (function, item) in interface.exports(engine) {
                    let ComponentItem::ComponentFunc(ty) = item.ty else { continue };
                    let function = function.to_owned();
                    let origin = Origin { interface: Some(name.to_owned()), function };
                    reflection.add(origin, &ty, place.as_ref());
                }
            }
            _ => {}
        }
    }
    reflection.finish(&Docs::read(wasm))
}

struct Reflection<'a> {
    component: &'a Component,
    /// How many bytes of types may still be copied.
    type_bytes: usize,
    found: Vec<Found>,
    refused: Vec<Refused>,
}

/// A function that will be a tool once all are known and names can be given.
struct Found {
    origin: Origin,
    parameters: Vec<Field>,
    returns: Returns,
    index: ComponentExportIndex,
}

impl Reflection<'_> {
    fn add(&mut self, origin: Origin, ty: &ComponentFunc, place: Option<&ComponentExportIndex>) {
        match self.examine(&origin, ty, place) {
            Ok((parameters, returns, index)) => {
                self.found.push(Found { origin, parameters, returns, index });
            }
            Err(reason) => self.refused.push(Refused { function: origin.to_string(), reason }),
        }
    }

    /// Fails with a sentence.
    fn examine(
        &mut self,
        origin: &Origin,
        ty: &ComponentFunc,
        place: Option<&ComponentExportIndex>,
    ) -> Result<(Vec<Field>, Returns, ComponentExportIndex), String> {
        if origin.interface.as_deref().is_some_and(|name| name.starts_with("wasi:")) {
            return Err("functions of WASI are for a host, not for a model".into());
        }
        if self.found.len() == FUNCTIONS_MAX {
            return Err(format!("the component has more than {FUNCTIONS_MAX} functions"));
        }
        if ty.async_() {
            return Err("it is asynchronous".into());
        }
        let available = self.type_bytes.min(FUNCTION_TYPE_BYTES_MAX);
        let mut budget = Budget { left: available };
        let types = types(ty, &mut budget);
        self.type_bytes -= available - budget.left;
        let (parameters, returns) = types?;
        let index = self.component.get_export_index(place, &*origin.function);
        let index = index.ok_or("wasmtime does not find it among the exports")?;
        Ok((parameters, returns, index))
    }

    fn finish(self, docs: &Docs) -> Reflected {
        let origins: Vec<_> = self.found.iter().map(|found| found.origin.clone()).collect();
        let functions = self.found.into_iter().zip(name::names(&origins));
        let functions = functions.map(|(found, name)| found.named(name, docs)).collect();
        Reflected { functions, refused: self.refused }
    }
}

/// Fails with a sentence.
fn types(ty: &ComponentFunc, budget: &mut Budget) -> Result<(Vec<Field>, Returns), String> {
    let parameters = ty
        .params()
        .map(|(name, ty)| Field::of(name, &ty, TYPE_DEPTH_MAX, budget))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|unfit| because("the parameter", &unfit))?;
    let mut results = ty.results();
    let result = results.next().map(|ty| Shape::of(&ty, budget)).transpose();
    let result = result.map_err(|unfit| because("the result", &unfit))?;
    if results.next().is_some() {
        return Err("it returns several values".into());
    }
    Ok((parameters, Returns::of(result)))
}

fn because(part: &str, unfit: &Unfit) -> String {
    match unfit.path.trim_start_matches('.') {
        "" => format!("{part} {}", unfit.problem),
        path => format!("{part} `{path}` {}", unfit.problem),
    }
}

impl Found {
    fn named(self, name: String, docs: &Docs) -> Function {
        let Self { origin, parameters, returns, index } = self;
        let description = docs.of(&origin).or_else(|| placed(&origin));
        let definition = definition(&name, description, &parameters, &returns);
        Function { name, origin, definition, parameters, returns, index }
    }
}

/// Without a doc comment, the interface at least tells what a function is about.
fn placed(origin: &Origin) -> Option<String> {
    let interface = origin.interface.as_ref()?;
    Some(format!("`{}` of the interface `{interface}`", origin.function))
}

fn definition(
    name: &str,
    description: Option<String>,
    parameters: &[Field],
    returns: &Returns,
) -> String {
    let members = [
        Some(("name", text::quoted(name))),
        description.map(|description| ("description", text::quoted(&description))),
        Some(("inputSchema", schema::record(parameters))),
        returns.schema().map(|schema| ("outputSchema", schema)),
    ];
    text::object(members.into_iter().flatten())
}

impl Function {
    /// The tool's name, `[A-Za-z0-9_-]{1,64}`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `ns:package/interface@version#function`, or the bare name of a function of the world.
    pub fn origin(&self) -> String {
        self.origin.to_string()
    }

    /// The MCP tool object as JSON text.
    pub fn definition(&self) -> &str {
        &self.definition
    }

    /// Reads the arguments of `tools/call`: an object of parameters by name. Nothing at all, and
    /// `null`, stand for `{}`.
    pub fn arguments(&self, json: &str) -> Result<Vec<Val>, BadArgument> {
        if json.len() > ARGUMENTS_BYTES_MAX {
            let problem = format!("{} bytes; the limit is {ARGUMENTS_BYTES_MAX}", json.len());
            return Err(BadArgument::new(problem));
        }
        let json = if json.trim_ascii().is_empty() { "{}" } else { json };
        let members = match serde_json::from_str(json) {
            Ok(Value::Object(members)) => members,
            Ok(Value::Null) => serde_json::Map::new(),
            Ok(_) => return Err(BadArgument::new("a JSON object is expected".into())),
            Err(error) => return Err(BadArgument::new(format!("not JSON: {error}"))),
        };
        let values = json_to_val::read_fields(members, &self.parameters)?;
        Ok(values.into_iter().map(|(_, value)| value).collect())
    }

    /// Calls the function in `instance`, which must be one of the component that was reflected. An
    /// error is a trap or a limit, never the function's own `err`.
    pub async fn call<T: Send>(
        &self,
        store: &mut Store<T>,
        instance: &Instance,
        arguments: &[Val],
    ) -> wasmtime::Result<Answer> {
        let function = instance
            .get_func(&mut *store, self.index)
            .ok_or_else(|| wasmtime::format_err!("the instance has no function {}", self.origin))?;
        let mut results = vec![Val::Bool(false); self.returns.count()];
        function.call_async(&mut *store, arguments, &mut results).await?;
        self.returns.answer(results.first())
    }
}
