//! Calls of one batch that go as one: people who join the same group. Each person's step stays a step of their own; what was
//! answered to all of them is the answer to each, and what was refused to all of them is asked for each alone. Pure.

use std::collections::BTreeMap;

use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::tenant::{Answer, Call, RefusalKind};

use super::prepare::Sending;
use crate::task::{Joining, Task};

/// A task, and the call that is made for it.
pub(crate) type Outgoing = (Task, Sending);
/// A call that was made, and its answer.
pub(crate) type Answered = (Task, Sending, Answer);

/// A call, and the people who need it.
#[derive(Debug)]
pub(crate) struct Together {
    pub(crate) call: Call,
    /// Places among the outgoing calls.
    pub(crate) people: Vec<usize>,
}

/// The calls as they are sent: one for all people who join the same group, unless it was refused to them together.
pub(crate) fn together(outgoing: &[Outgoing]) -> Vec<Together> {
    let mut calls: Vec<Together> = Vec::with_capacity(outgoing.len());
    let mut of_group: BTreeMap<&ObjectId, usize> = BTreeMap::new();
    for (at, (task, sending)) in outgoing.iter().enumerate() {
        if let Call::AddMember { group, account } = &sending.call
            && task.joining == Joining::Together
        {
            if let Some(before) = of_group.get(group).and_then(|place| calls.get_mut(*place)) {
                before.join(group, account, at);
                continue;
            }
            of_group.insert(group, calls.len());
        }
        calls.push(Together { call: sending.call.clone(), people: vec![at] });
    }
    calls
}

impl Together {
    /// Takes one more account into the group. The first account has a call of its own as long as it is the only one.
    fn join(&mut self, group: &ObjectId, account: &ObjectId, at: usize) {
        match &mut self.call {
            Call::AddMembers { accounts, .. } => accounts.push(account.clone()),
            Call::AddMember { account: first, .. } => {
                let accounts = vec![first.clone(), account.clone()];
                self.call = Call::AddMembers { group: group.clone(), accounts };
            }
            _ => return,
        }
        self.people.push(at);
    }
}

/// Gives each person the answer to their call. People whose common call was refused go back to `alone`: nothing was done for
/// any of them, and Graph does not say which of them it refused.
pub(crate) fn share<'a>(
    outgoing: Vec<Outgoing>,
    answers: impl Iterator<Item = (&'a Answer, &'a Vec<usize>)>,
    alone: &mut Vec<Task>,
) -> Vec<Answered> {
    let of_place: BTreeMap<usize, (&Answer, bool)> =
        answers.flat_map(|(answer, people)| people.iter().map(move |at| (*at, (answer, people.len() > 1)))).collect();
    let mut answered = Vec::with_capacity(outgoing.len());
    for (at, (mut task, sending)) in outgoing.into_iter().enumerate() {
        match of_place.get(&at) {
            Some((answer, true)) if is_refused(answer) => {
                task.joining = Joining::Alone;
                alone.push(task);
            }
            Some((answer, _)) => answered.push((task, sending, (*answer).clone())),
            // Sent, and not answered: looked at before it is repeated.
            None => answered.push((task, sending, Answer::Unknown("Sent, but no answer came.".to_owned()))),
        }
    }
    answered
}

/// Whether something is the matter with one of the people, or with the group. Refused credentials are no person's matter.
fn is_refused(answer: &Answer) -> bool {
    match answer {
        Answer::Refused(refusal) => refusal.kind != RefusalKind::Credentials,
        Answer::NotFound => true,
        Answer::Done(_) | Answer::Made(_) | Answer::Later(_) | Answer::Unknown(_) => false,
    }
}
