import django.db.models.deletion
import partwell.departures.states
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('departures', '0001_initial'), ('departures', '0002_participant_added_by')]

    initial = True

    dependencies = [
        ('people', '0001_initial'),
        # Those of libraries come before our many tables: each of their changes to a table makes Django draw up
        # anew all models that lead to it, and by the users that is nearly every one of ours.
        ('account', '0009_emailaddress_unique_primary_email'),
        ('auth', '0012_alter_user_first_name_max_length'),
        ('mfa', '0003_authenticator_type_uniq'),
        ('usersessions', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Departure',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('subject_kind', models.CharField(choices=[('staff', 'staff'), ('client', 'client')], max_length=10)),
                ('subject_name', models.CharField(max_length=200)),
                ('subject_email', models.EmailField(blank=True, max_length=254)),
                ('subject_title', models.CharField(blank=True, max_length=160)),
                ('subject_department', models.CharField(blank=True, max_length=120)),
                ('scenario', models.CharField(max_length=60)),
                ('reason', models.CharField(blank=True, max_length=60)),
                ('initiated_by', models.CharField(choices=[('leaver', 'leaver'), ('organisation', 'organisation'), ('mutual', 'mutual'), ('expiry', 'expiry')], max_length=20)),
                ('confidentiality', models.CharField(choices=[('normal', 'normal'), ('need_to_know', 'need to know')], default=partwell.departures.states.Confidentiality['NORMAL'], max_length=20)),
                ('rehire', models.CharField(choices=[('undecided', 'undecided'), ('welcome', 'welcome'), ('review', 'review'), ('no', 'no')], default=partwell.departures.states.Rehire['UNDECIDED'], max_length=20)),
                ('notice_date', models.DateField()),
                ('last_working_date', models.DateField()),
                ('access_end_at', models.DateTimeField()),
                ('timezone', models.CharField(max_length=64)),
                ('contract_end_date', models.DateField()),
                ('jurisdiction', models.CharField(blank=True, max_length=10)),
                ('state', models.CharField(choices=[('active', 'active'), ('closed', 'closed'), ('withdrawn', 'withdrawn')], default=partwell.departures.states.DepartureState['ACTIVE'], max_length=12)),
                ('created_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('revision', models.PositiveIntegerField(default=1)),
                ('client', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='departures', to='people.client')),
                ('person', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='departures', to='people.person')),
            ],
            options={
                'ordering': ['last_working_date', 'pk'],
                'indexes': [models.Index(fields=['state', 'last_working_date', 'id'], name='departure_by_last_day'), models.Index(fields=['state', 'access_end_at'], name='departure_by_access_end')],
                'constraints': [models.UniqueConstraint(models.F('person'), condition=models.Q(('person__isnull', False), ('state', partwell.departures.states.DepartureState['ACTIVE'])), name='departure_one_active_per_person'), models.CheckConstraint(condition=models.Q(('last_working_date__gte', models.F('notice_date'))), name='departure_last_day_not_before_notice')],
            },
        ),
        migrations.CreateModel(
            name='GuestGuess',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(max_length=64)),
                ('window_at', models.DateTimeField()),
                ('count', models.PositiveIntegerField(default=0)),
            ],
            options={
                'ordering': ['window_at', 'pk'],
                'indexes': [models.Index(fields=['window_at'], name='guess_by_window')],
                'constraints': [models.UniqueConstraint(models.F('source'), models.F('window_at'), name='guess_once_per_window')],
            },
        ),
        migrations.CreateModel(
            name='GuestLink',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('capacity', models.CharField(choices=[('departing', 'departing'), ('helper', 'helper')], max_length=10)),
                ('step_keys', models.JSONField(default=list)),
                ('name', models.CharField(blank=True, max_length=200)),
                ('email', models.EmailField(max_length=254)),
                ('is_work_address', models.BooleanField()),
                ('token_digest', models.CharField(max_length=64, unique=True)),
                ('invited_by', models.CharField(max_length=300)),
                ('invited_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('opened_at', models.DateTimeField(blank=True, null=True)),
                ('session_digest', models.CharField(blank=True, max_length=64)),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('departure', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='guest_links', to='departures.departure')),
            ],
            options={
                'ordering': ['-invited_at', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='Notice',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('subject_name', models.CharField(max_length=200)),
                ('scenario', models.CharField(max_length=60)),
                ('notice_date', models.DateField()),
                ('last_working_date', models.DateField()),
                ('reason', models.CharField(blank=True, max_length=60)),
                ('given_by', models.CharField(max_length=300)),
                ('given_at', models.DateTimeField()),
                ('state', models.CharField(choices=[('waiting', 'waiting'), ('started', 'started'), ('declined', 'declined')], default=partwell.departures.states.NoticeState['WAITING'], max_length=10)),
                ('settled_by', models.CharField(blank=True, max_length=300)),
                ('settled_at', models.DateTimeField(blank=True, null=True)),
                ('client', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='notices', to='people.client')),
                ('departure', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='notices', to='departures.departure')),
                ('person', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='notices', to='people.person')),
            ],
            options={
                'ordering': ['given_at', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='Participant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('capacity', models.CharField(max_length=20)),
                ('added_at', models.DateTimeField()),
                ('departure', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='participants', to='departures.departure')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='participations', to=settings.AUTH_USER_MODEL)),
                ('added_by', models.CharField(blank=True, default='', max_length=300)),
            ],
            options={
                'ordering': ['pk'],
                'indexes': [models.Index(fields=['user', 'departure'], name='participant_by_user')],
                'constraints': [models.UniqueConstraint(models.F('departure'), models.F('user'), models.F('capacity'), name='participant_once_per_capacity')],
            },
        ),
    ]
