//! What callgrind tells: the functions that ran, and what each cost by itself (Valgrind manual, "Callgrind Format Specification").

use std::collections::HashMap;

/// The functions of `object` that ran, those that cost most first; of equal ones, by name.
pub(super) fn functions(told: &str, object: &str) -> Vec<String> {
    let mut reader = Reader::default();
    told.lines().for_each(|line| reader.read(line));
    let ours = reader.costs.iter().filter(|((of, _), cost)| *of == object && **cost > 0);
    let mut functions: Vec<_> = ours.map(|((_, name), cost)| (*name, *cost)).collect();
    functions.sort_unstable_by(|(a, costs), (b, costs_as_much)| costs_as_much.cmp(costs).then(a.cmp(b)));
    functions.into_iter().map(|(name, _)| name.to_owned()).collect()
}

/// A name may be told once and meant by its number from then on.
#[derive(Default)]
struct Reader<'a> {
    objects: HashMap<&'a str, &'a str>,
    names: HashMap<&'a str, &'a str>,
    object: &'a str,
    name: &'a str,
    /// Whether the next line tells what a call has cost, which counts for the function that was called.
    of_call: bool,
    costs: HashMap<(&'a str, &'a str), u64>,
}

impl<'a> Reader<'a> {
    fn read(&mut self, line: &'a str) {
        match line.split_once('=') {
            Some(("ob", told)) => self.object = resolve(&mut self.objects, told),
            Some(("cob", told)) => drop(resolve(&mut self.objects, told)),
            // The second and later activations of a recursive function are told apart.
            Some(("fn", told)) => {
                self.name = resolve(&mut self.names, told).split('\'').next().unwrap_or_default()
            }
            Some(("cfn", told)) => drop(resolve(&mut self.names, told)),
            Some(("calls", _)) => self.of_call = true,
            Some(_) => {}
            None => self.cost(line),
        }
    }

    fn cost(&mut self, line: &str) {
        let mut words = line.split(' ');
        let is_place = |word: &str| word.starts_with(['+', '-', '*']) || word.parse::<u64>().is_ok();
        let Some(cost) =
            words.next().filter(|word| is_place(word)).and_then(|_| words.next()?.parse::<u64>().ok())
        else {
            return;
        };
        if !std::mem::take(&mut self.of_call) {
            *self.costs.entry((self.object, self.name)).or_default() += cost;
        }
    }
}

/// The name that `told` stands for: `(7) name` from the first time on `(7)`.
fn resolve<'a>(known: &mut HashMap<&'a str, &'a str>, told: &'a str) -> &'a str {
    match told.split_once(' ') {
        Some((number, name)) => {
            known.insert(number, name);
            name
        }
        None => known.get(told).copied().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = "\
version: 1
positions: line
events: Ir
summary: 900

ob=(1) /program
fl=(1) a.rs
fn=(1) _first
10 5
+2 6
cob=(2) /libc.so
cfn=(2) memcpy
calls=3 1
* 800

fn=(3) _second
1 20
cfn=(1)
calls=1 1
+1 11

ob=(2)
fn=(2)
1 800

ob=(1)
fn=(4) _second'2
1 5
fn=(5) _idle
1 0
totals: 836
";

    #[test]
    fn what_a_function_costs_by_itself_counts_in_the_program_alone() {
        assert_eq!(functions(TOLD, "/program"), ["_second", "_first"]);
        assert_eq!(functions(TOLD, "/libc.so"), ["memcpy"]);
    }
}
