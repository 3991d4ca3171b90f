import { IsInt, IsNotEmpty, IsString, Matches, Min } from 'class-validator';
import { MONEY_PATTERN } from './money.js';

/** Every command names its fine. */
class FineCommand {
  @IsString() @IsNotEmpty() fineId: string;
  constructor(fineId: string) {
    this.fineId = fineId;
  }
}

export class CreateFine extends FineCommand {
  @Matches(MONEY_PATTERN) amount: string;
  @IsString() article: string;
  @IsInt() @Min(0) points: number;
  @IsString() vehicleClass: string;
  @IsString() dismissal: string;
  @IsString() officer: string;
  constructor(
    fineId: string,
    fine: { amount: string; article: string; points: number; vehicleClass: string; dismissal: string; officer: string },
  ) {
    super(fineId);
    this.amount = fine.amount;
    this.article = fine.article;
    this.points = fine.points;
    this.vehicleClass = fine.vehicleClass;
    this.dismissal = fine.dismissal;
    this.officer = fine.officer;
  }
}

export class SendFine extends FineCommand {
  @Matches(MONEY_PATTERN) expense: string;
  constructor(fineId: string, expense: string) {
    super(fineId);
    this.expense = expense;
  }
}

export class NotifyFine extends FineCommand {
  @IsString() notificationType: string;
  lastSent: string | null;
  constructor(fineId: string, notificationType: string, lastSent: string | null) {
    super(fineId);
    this.notificationType = notificationType;
    this.lastSent = lastSent;
  }
}

export class AddPenalty extends FineCommand {
  /** The fine's amount from now on. */
  @Matches(MONEY_PATTERN) amount: string;
  constructor(fineId: string, amount: string) {
    super(fineId);
    this.amount = amount;
  }
}

export class ReceivePayment extends FineCommand {
  @Matches(MONEY_PATTERN) amount: string;
  constructor(fineId: string, amount: string) {
    super(fineId);
    this.amount = amount;
  }
}

export class StartCollection extends FineCommand {}
export class DateAppeal extends FineCommand {}
export class AnswerAppeal extends FineCommand {}
export class NotifyAnswer extends FineCommand {}

export class SendAppeal extends FineCommand {
  @IsString() dismissal: string;
  constructor(fineId: string, dismissal: string) {
    super(fineId);
    this.dismissal = dismissal;
  }
}

export class CallJudge extends FineCommand {
  @IsString() judge: string;
  @IsString() dismissal: string;
  @IsString() officer: string;
  constructor(fineId: string, call: { judge: string; dismissal: string; officer: string }) {
    super(fineId);
    this.judge = call.judge;
    this.dismissal = call.dismissal;
    this.officer = call.officer;
  }
}
