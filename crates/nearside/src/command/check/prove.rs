//! `nearside check --prove`: can a request leave its residency class?

use crate::told::{list, text, texts};
use crate::{Done, explanation, out};
use nearside_core::{Choice, ClassId, Facts, Generation, RegionId, Target};
use nearside_whatif::{AT_ONCE, Dark, Hole, Proof, dark, prove};
use serde_json::{Value, json};

/// Prints the proof, or the first state in which it fails.
pub(crate) fn run(generation: &Generation, as_json: bool) -> Done {
    let (proved, dark) = (prove(generation), dark(generation));
    let holds = proved.is_ok() && dark.is_empty();
    let told = tell(generation, &proved, &dark);
    if as_json {
        out::json(&told);
    } else {
        out::text(&draw(&told));
    }
    if holds { Done::Fine } else { Done::Refused }
}

fn tell(generation: &Generation, proved: &Result<Vec<Proof>, Box<Hole>>, dark: &[Dark]) -> Value {
    let class = |id: ClassId| generation.class(id).map_or("?", |class| &*class.name);
    let route = |id| generation.routes.route(id).map_or("?", |route| &*route.id);
    let regions = |ids: &[RegionId]| -> Vec<&str> {
        ids.iter().filter_map(|id| generation.region(*id)).map(|region| &*region.name).collect()
    };
    let dark: Vec<Value> = dark
        .iter()
        .map(|it| json!({ "route": route(it.route), "class": class(it.class), "lost": regions(&it.lost) }))
        .collect();
    match proved {
        Ok(proofs) => {
            let of = |(index, name): (usize, &str)| {
                let mine = || proofs.iter().filter(|proof| proof.classes.contains(&ClassId::new(index)));
                json!({
                    "class": name,
                    "routes": mine().count(),
                    "states": mine().map(|proof| proof.states).sum::<u64>(),
                    "bounded": mine().any(|proof| proof.bounded),
                    "survive": generation.class(ClassId::new(index)).map(|class| class.survive),
                })
            };
            let names = generation.classes.iter().map(|class| &*class.name).enumerate();
            json!({ "proved": names.map(of).collect::<Vec<_>>(), "dark": dark })
        }
        Err(hole) => {
            json!({ "hole": hole_of(generation, hole, (route(hole.route), class(hole.class)), &regions), "dark": dark })
        }
    }
}

fn hole_of<'g>(
    generation: &'g Generation,
    hole: &Hole,
    (route, class): (&str, &str),
    regions: &dyn Fn(&[RegionId]) -> Vec<&'g str>,
) -> Value {
    let facts = Facts {
        place: hole.place,
        home: hole.home.as_deref(),
        ..Facts::new("host.invalid", "/", "GET", hole.client)
    };
    // The steps say where it went; the outcome's own line would name a route of the walk, not of the file.
    let steps = explanation::tell(generation, &facts, Choice::Answer(hole.route), &hole.trace);
    let pin = hole.pin.map(|pin| match pin {
        Target::Region(region) => regions(&[region]).join(""),
        Target::Backend(backend) => {
            generation.backend(backend).map_or(String::new(), |it| it.name.to_string())
        }
    });
    json!({
        "route": route,
        "class": class,
        "country": hole.place.country.as_str(),
        "state": hole.place.state.map(|state| state.to_string()),
        "client": hole.client.ip().to_string(),
        "home": hole.home,
        "lost": regions(&hole.lost),
        "drained": regions(&hole.drained),
        "pin": pin,
        "went": regions(&[hole.went]).join(""),
        "steps": steps.get("steps"),
    })
}

fn draw(told: &Value) -> String {
    let mut lines = Vec::new();
    for proof in list(told, "proved") {
        let class = text(proof, "class");
        if proof["routes"] == 0 {
            lines.push(format!("no route is of class {class:?}"));
            continue;
        }
        let bounded = if proof["bounded"] == true {
            format!(", at most {AT_ONCE} regions lost or drained at a time")
        } else {
            String::new()
        };
        lines.push(format!(
            "no request of class {class:?} can reach a region outside it; {} states of {} route{}{bounded}",
            proof["states"],
            proof["routes"],
            if proof["routes"] == 1 { "" } else { "s" }
        ));
    }
    if told.get("proved").is_some_and(|proved| proved.as_array().is_some_and(Vec::is_empty)) {
        lines.push("the file has no residency class: there is nothing to prove".to_owned());
    }
    if let Some(hole) = told.get("hole") {
        lines.push(format!(
            "a request of class {:?} reaches {:?} by the route {:?}: client {} in {}, home {}, pin {}, lost: {}, drained: {}",
            text(hole, "class"),
            text(hole, "went"),
            text(hole, "route"),
            text(hole, "client"),
            text(hole, "country"),
            hole["home"],
            hole["pin"],
            texts(hole, "lost").join(", "),
            texts(hole, "drained").join(", "),
        ));
        lines.push(explanation::steps(hole));
    }
    for it in list(told, "dark") {
        lines.push(format!(
            "class {:?} is not served by the route {:?} after the loss of {}",
            text(it, "class"),
            text(it, "route"),
            match texts(it, "lost") {
                none if none.is_empty() => "nothing at all".to_owned(),
                lost => lost.join(", "),
            }
        ));
    }
    lines.join("\n")
}
