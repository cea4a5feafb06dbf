"""People who sign in, and contractors who do not; passwords and tokens are checked in server/auth, rights in server/rules/roles.py."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, JsonList, Key, Words, to
from server.rules.roles import Role


class User(Base):
    """A person of one site; deactivated, never deleted. `session_epoch` grows to end every open session.

    `contractor`: stands behind one contractor link, so that what its holder does bears a name; nobody can sign in as it.
    """

    __tablename__ = "users"
    __table_args__ = (Index("uq_users_employee_number", "employee_number", unique=True),)

    id: Mapped[Key]
    employee_number: Mapped[Code]
    name: Mapped[Words]
    email: Mapped[Words | None]
    role: Mapped[Code]
    site_id: Mapped[int] = mapped_column(to("sites.id"), index=True)
    team_id: Mapped[int | None] = mapped_column(to("teams.id"))
    area_id: Mapped[int | None] = mapped_column(to("process_units.id"))  # an operator acknowledges and shelves only there
    skills: Mapped[JsonList] = mapped_column(server_default=text("'[]'::jsonb"), default=list)  # words: electrical, hydraulics, ...
    shift: Mapped[Code | None]  # name of a shift of the site
    password_hash: Mapped[str]
    must_change_password: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    language: Mapped[Code] = mapped_column(server_default="en", default="en")
    active: Mapped[bool] = mapped_column(server_default=text("true"), default=True)
    deactivated_at: Mapped[datetime | None]
    contractor: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    on_duty: Mapped[bool] = mapped_column(server_default=text("true"), default=True)
    granted: Mapped[JsonList] = mapped_column(server_default=text("'[]'::jsonb"), default=list)  # rights no role has
    session_epoch: Mapped[int] = mapped_column(server_default="0", default=0)
    last_login_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    rev: Mapped[int] = mapped_column(server_default="1", default=1)

    @property
    def role_of(self) -> Role:
        """The role as its Enum; the column holds only names of `Role`."""
        return Role(self.role)


class PasswordReset(Base):
    """One mailed link to a new password: hashed, 30 minutes, once."""

    __tablename__ = "password_resets"
    __table_args__ = (UniqueConstraint("token_hash"),)

    id: Mapped[Key]
    user_id: Mapped[int] = mapped_column(to("users.id"), index=True)
    token_hash: Mapped[Words]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class ContractorLink(Base):
    """Someone from outside who sees one work order, and works on it where `may_work`, until the link ends or is revoked."""

    __tablename__ = "contractor_links"
    __table_args__ = (UniqueConstraint("token_hash"),)

    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("sites.id"), index=True)
    order_id: Mapped[int] = mapped_column(to("work_orders.id"), index=True)
    user_id: Mapped[int] = mapped_column(to("users.id"))  # the shadow user behind it
    name: Mapped[Words]
    company: Mapped[Words] = mapped_column(server_default="", default="")
    may_work: Mapped[bool] = mapped_column(server_default=text("true"), default=True)
    token_hash: Mapped[Words]
    created_by_id: Mapped[int] = mapped_column(to("users.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
