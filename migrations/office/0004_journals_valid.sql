-- Rows from before are held to the constraints that 0003 added, under locks that let everybody read and write.

ALTER TABLE office.acts VALIDATE CONSTRAINT acts_subject_check;
ALTER TABLE office.movements VALIDATE CONSTRAINT movements_book_check;
ALTER TABLE office.movements VALIDATE CONSTRAINT movements_origin;
ALTER TABLE office.movements VALIDATE CONSTRAINT movements_state_check;
