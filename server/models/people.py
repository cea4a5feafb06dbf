"""People who sign in; passwords and tokens are checked in server/auth, rights in server/rules/roles.py."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Code, Key, Words, to
from server.rules.roles import Role


class User(Base):
    """A person of one site; deactivated, never deleted. `session_epoch` grows to end every open session."""

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
    password_hash: Mapped[str]
    must_change_password: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    language: Mapped[Code] = mapped_column(server_default="en", default="en")
    active: Mapped[bool] = mapped_column(server_default=text("true"), default=True)
    on_duty: Mapped[bool] = mapped_column(server_default=text("true"), default=True)
    session_epoch: Mapped[int] = mapped_column(server_default="0", default=0)
    failed_logins: Mapped[int] = mapped_column(server_default="0", default=0)
    locked_until: Mapped[datetime | None]
    last_login_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    @property
    def role_of(self) -> Role:
        """The role as its Enum; the column holds only names of `Role`."""
        return Role(self.role)
