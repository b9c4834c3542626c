//! The routes, and the pools that stand inside them.

use crate::compile::Pools;
use crate::compile::law::Law;
use crate::document::{self, Document, MethodList, Pool, Upgrade};
use crate::scalar::field::FieldValue;
use crate::shape::Names;
use nearside_core::method::Methods;
use nearside_core::route::{Action, Answer, FieldEdits, Limits, Route};

pub(super) fn compile(document: &Document, pools: &mut Pools<'_>) -> Vec<Route> {
    let law = Law::new(document);
    // The check saw to it that each route has one target, and that its pool is declared.
    let compiled = |declared| Some(route(declared, action(declared, document, pools)?, &law));
    document.routes.0.iter().filter_map(compiled).collect()
}

fn action(declared: &document::Route, document: &Document, pools: &mut Pools<'_>) -> Option<Action> {
    if let Some(answer) = &declared.answer {
        return Some(Action::Answer(Answer {
            status: answer.status.0,
            body: answer.body.clone(),
            location: answer.location.as_ref().map(|location| location.parts.clone()),
        }));
    }
    if let Some(backends) = &declared.backends {
        let pool = Pool::inherit(backends.0.clone(), &document.defaults);
        return Some(Action::Forward(pools.add(&declared.name(), &pool)));
    }
    let name = declared.pool.as_ref()?;
    pools.ids.get(&*name.0).copied().map(Action::Forward)
}

fn route(declared: &document::Route, action: Action, law: &Law<'_>) -> Route {
    let limits = &declared.limits;
    let bytes = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
    Route {
        id: declared.name().into(),
        hosts: declared.host.0.iter().cloned().collect(),
        path: declared.path.clone(),
        methods: methods(&declared.methods),
        action,
        to_client: edits(&declared.headers.to_client),
        to_backend: edits(&declared.headers.to_backend),
        strip_prefix: declared.strip_prefix.as_ref().map(|prefix| prefix.0.clone()),
        paths: declared.paths,
        websocket: declared.upgrades.contains(&Upgrade::Websocket),
        limits: Limits {
            body: limits.body.map(|size| size.0),
            headers: bytes(limits.headers.0),
            url: bytes(limits.url.0),
            concurrency: limits.concurrency.map(|limit| limit.0),
        },
        geo: law.geo(&declared.geo),
        residency: law.residency(declared.residency.as_ref()),
        home: declared.home.as_ref().map(|home| law.home(home)),
    }
}

pub(crate) fn methods(list: &MethodList) -> Methods {
    match &list.0 {
        None => Methods::Any,
        Some(list) => Methods::Only(list.0.iter().map(|method| method.0.clone()).collect()),
    }
}

fn edits(edits: &document::FieldEdits) -> FieldEdits {
    let pairs = |fields: &Names<_, FieldValue>| {
        let pair =
            |(name, value): &(crate::scalar::field::FieldName, FieldValue)| (name.0.clone(), value.0.clone());
        fields.0.iter().map(pair).collect()
    };
    FieldEdits {
        remove: edits.remove.iter().map(|name| name.0.clone()).collect(),
        set: pairs(&edits.set),
        add: pairs(&edits.add),
    }
}
