//! Writes to users: create, update, delete, manager, sessions
//! (<https://learn.microsoft.com/graph/api/user-update>).

use serde_json::{Value, json};

use crate::answer::{Answer, Outcome, Refusal};
use crate::clock::iso;
use crate::object::{Mask, Object};
use crate::options;
use crate::rules::{set_primary, synced_refusal};
use crate::schema::{Access, Kind, at};
use crate::serve::Ask;
use crate::state::State;
use crate::values::{self, Write};

impl State {
    /// <https://learn.microsoft.com/graph/api/user-post-users>
    pub(crate) fn create_user(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&[])?;
        let write = values::parse(Kind::User, ask.body()?, ask.call.beta)?;
        let required = [
            (at::ACCOUNT_ENABLED, "accountEnabled"),
            (at::DISPLAY_NAME, "displayName"),
            (at::MAIL_NICKNAME, "mailNickname"),
            (at::UPN, "userPrincipalName"),
        ];
        for (prop, name) in required {
            if write.get(prop).is_none() {
                return Err(Refusal::required(name, "User"));
            }
        }
        if write.get(at::PASSWORD_PROFILE).is_none_or(|p| !p["password"].is_string()) {
            return Err(Refusal::required("password", "User"));
        }
        if write.manager.is_some() && self.options.manager_bind_on_create == options::Reaction::Refuse {
            // https://github.com/microsoftgraph/msgraph-sdk-powershell/issues/1380
            return Err(Refusal::bad(
                "A navigation property 'manager' with 'odata.bind' is not supported while creating a User.",
            ));
        }
        self.check_quota()?;

        let mut user = Object::new(Kind::User, self.fresh_id());
        user.set(at::CREATED, json!(iso(self.now())));
        user.set(at::USER_TYPE, json!("Member"));
        user.set(at::BUSINESS_PHONES, json!([]));
        check_password(&write, None)?;
        assign(&mut user, &write);
        self.check_upn_domain(user.upn())?;
        if self.federated(user.upn()) && user.text(at::IMMUTABLE_ID).is_none() {
            return Err(self.federated_refusal());
        }
        self.check_unique(None, &user)?;
        if let Some(manager) = write.manager {
            self.linked(manager)?;
            user.manager = Some(manager);
        }
        let location = format!("{}/v1.0/users/{}", self.base, user.id);
        let body = self.entity(&user, Mask(Kind::User.defaults()), None, 0);
        self.commit_new(user);
        Ok(Answer::bytes(201, body).with("location", location))
    }

    pub(crate) fn update_user(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&[])?;
        let write = values::parse(Kind::User, ask.body()?, ask.call.beta)?;
        if write.manager.is_some() {
            return Err(Refusal::bad("The relationship 'manager' cannot be changed by an update.")
                .violating("manager@odata.bind in PATCH /users/{id}"));
        }
        let props = write.props();
        if !crate::permits::covers(ask.caller, &props) {
            return Err(Refusal::denied());
        }
        let (slot, before) = self.target(Kind::User, ask.key)?;
        let sensitive = |p: &u8| Kind::User.props()[*p as usize].access == Access::Sensitive;
        if props.iter().any(sensitive) {
            self.may_act_on(ask.caller, &before)?;
        }
        let password = write.get(at::PASSWORD_PROFILE).is_some();
        if password {
            self.may_set_password(ask.caller)?;
        }
        let changed: Vec<u8> =
            props.iter().copied().filter(|p| write.get(*p) != before.get(*p) || *p == at::PASSWORD_PROFILE).collect();
        self.check_mastery(&before, &changed)?;
        check_password(&write, Some(&before))?;

        let mut user = before.clone();
        assign(&mut user, &write);
        if !user.upn().eq_ignore_ascii_case(before.upn()) {
            self.check_upn_domain(user.upn())?;
            if self.options.upn_change_moves_primary && before.has_mailbox() {
                let upn = user.upn().to_owned();
                set_primary(&mut user, &upn);
            }
        }
        self.check_federation(slot, &user, password)?;
        self.check_unique(Some(slot), &user)?;
        let mask = user.differs_from(&before);
        // An update that changes nothing leaves no trace in delta.
        if mask != Mask::default() || password {
            self.commit(slot, user, mask);
        }
        Ok(Answer::empty(204))
    }

    /// <https://learn.microsoft.com/graph/api/user-delete>
    pub(crate) fn delete_user(&mut self, ask: &Ask<'_>, key: &str) -> Outcome {
        ask.query.only(&[])?;
        let (slot, user) = self.target(Kind::User, key)?;
        self.may_act_on(ask.caller, &user)?;
        self.soft_delete(slot);
        Ok(Answer::empty(204))
    }

    /// Deletes softly: the UPN is mangled, so that it can be used again.
    pub(crate) fn soft_delete(&mut self, slot: u32) {
        let mut object = Object::clone(self.dir.object(slot));
        let now = self.now();
        object.deleted_at = Some(now);
        object.set(at::DELETED, json!(iso(now)));
        if object.kind == Kind::User {
            let mangled = format!("{}{}", object.id.simple(), object.upn());
            object.set(at::UPN, json!(mangled));
        }
        self.commit(slot, object, Mask::ALL);
    }

    /// <https://learn.microsoft.com/graph/api/user-post-manager>
    pub(crate) fn set_manager(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&[])?;
        let mut body = ask.body()?;
        let reference = body.remove("@odata.id");
        let reference = reference.ok_or_else(|| Refusal::bad("The request body must contain '@odata.id'."))?;
        if let Some((name, _)) = body.iter().next() {
            return Err(Refusal::unknown(format!("'{name}' in a reference")));
        }
        let manager = values::reference(&reference)?;
        let (slot, mut user) = self.target(Kind::User, ask.key)?;
        if self.mastered(&user) {
            return Err(synced_refusal());
        }
        let found = self.linked(manager)?;
        if found.kind == Kind::Group {
            return Err(Refusal::bad("The reference target is of a type that is not supported for 'manager'."));
        }
        if user.manager != Some(manager) {
            user.manager = Some(manager);
            self.commit(slot, user, Mask::of(&[at::MANAGER]));
        }
        Ok(Answer::empty(204))
    }

    pub(crate) fn remove_manager(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&[])?;
        let (slot, mut user) = self.target(Kind::User, ask.key)?;
        if self.mastered(&user) {
            return Err(synced_refusal());
        }
        if user.manager.take().is_none() {
            return Err(Refusal::not_found("manager"));
        }
        self.commit(slot, user, Mask::of(&[at::MANAGER]));
        Ok(Answer::empty(204))
    }

    /// <https://learn.microsoft.com/graph/api/user-revokesigninsessions>
    pub(crate) fn revoke_sessions(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&[])?;
        ask.optional_body()?;
        let (slot, mut user) = self.target(Kind::User, ask.key)?;
        user.set(at::SESSIONS_VALID_FROM, json!(iso(self.now())));
        self.revoke_refresh_tokens(user.id);
        self.commit(slot, user, Mask::of(&[at::SESSIONS_VALID_FROM]));
        if self.options.revoke_answers_204 {
            return Ok(Answer::empty(204));
        }
        Ok(Answer::json(200, &json!({ "@odata.context": self.context("Edm.Boolean"), "value": true })))
    }

    /// <https://learn.microsoft.com/graph/api/resources/onpremisessyncbehavior>
    pub(crate) fn get_sync_behavior(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&["$select"])?;
        let horizon = self.read_horizon();
        let (_, user) = self.seen(Kind::User, ask.key, horizon)?;
        Ok(Answer::json(200, &json!({ "id": user.id.to_string(), "isCloudManaged": !user.synced() })))
    }

    pub(crate) fn set_sync_behavior(&mut self, ask: &Ask<'_>) -> Outcome {
        let body = ask.body()?;
        let (slot, mut user) = self.target(Kind::User, ask.key)?;
        let cloud = match (body.len(), body.get("isCloudManaged")) {
            (1, Some(Value::Bool(cloud))) => *cloud,
            _ => return Err(Refusal::unknown("this body of onPremisesSyncBehavior")),
        };
        if user.was_synced {
            user.set(at::SYNC_ENABLED, if cloud { Value::Null } else { json!(true) });
            self.commit(slot, user, Mask::of(&[at::SYNC_ENABLED]));
        }
        Ok(Answer::empty(204))
    }
}

fn check_password(write: &Write, before: Option<&Object>) -> Outcome<()> {
    let Some(profile) = write.get(at::PASSWORD_PROFILE) else { return Ok(()) };
    let policies = write.get(at::PASSWORD_POLICIES).and_then(Value::as_str);
    let policies = policies.or(before.and_then(|b| b.text(at::PASSWORD_POLICIES))).unwrap_or_default();
    values::password(profile, policies.contains("DisableStrongPassword"))
}

fn assign(user: &mut Object, write: &Write) {
    for (prop, value) in &write.values {
        match *prop {
            at::PASSWORD_PROFILE => user.password = value["password"].as_str().map(str::to_owned),
            at::MAIL => {
                if let Some(mail) = value.as_str().filter(|m| user.text(at::MAIL) != Some(*m)) {
                    let mail = mail.to_owned();
                    set_primary(user, &mail);
                }
            }
            at::EXTENSIONS => {
                let mut merged =
                    user.get(at::EXTENSIONS).cloned().filter(Value::is_object).unwrap_or_else(|| json!({}));
                for (name, v) in value.as_object().into_iter().flatten() {
                    merged[name] = v.clone();
                }
                user.set(at::EXTENSIONS, merged);
            }
            _ => user.set(*prop, value.clone()),
        }
    }
}
